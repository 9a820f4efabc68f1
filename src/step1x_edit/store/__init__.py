"""Triplet stores on disk: triplets and rejections with their pictures in, Parquet shards out, and back."""
