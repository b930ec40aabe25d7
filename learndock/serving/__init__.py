"""The chassis of every server: configuration, serving, access, errors, telemetry, SQL."""
