"""Generated from protos/learndock/v1 by `make protos`; never edited."""
