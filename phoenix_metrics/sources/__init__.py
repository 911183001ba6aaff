"""What the sources say, as they say it: generators that know no database and no Dagster."""
