"""From documents to packed token shards."""
