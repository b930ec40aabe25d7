"""Statistical specifications over gRPC."""
