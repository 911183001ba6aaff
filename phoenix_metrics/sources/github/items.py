"""What a source yields and landing writes down."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One object to land: its source object, the source's id and its payload as JSON text."""

    source_object: str
    object_id: int | None
    payload: str


Batch = list[Item]
