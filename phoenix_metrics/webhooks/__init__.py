"""Webhooks: deliveries are checked, kept durably and acknowledged; what they mean is decided later, by the drain."""
