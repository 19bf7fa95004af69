"""Telling other systems of incidents: webhooks, Slack, Alertmanager."""
