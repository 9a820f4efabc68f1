"""Triplet stores on disk: triplets and rejections with their pictures in, Parquet shards out, and back.

A store is a folder::

    manifest.json                 settings, counts, and one hash over everything that matters
    index.parquet                 all triplets without pictures and masks, for queries
    triplets/train-00000.parquet  triplets with both pictures, a file for every run of attempts ("test-": held out)
    rejections/00000.parquet      the attempts of the same run that gave no triplet, each with its reason

``datasets.load_dataset(folder)`` reads the triplets as they are.
"""

from step1x_edit.store.columns import load_arrow
from step1x_edit.store.folder import StoreInfo, read_store_info
from step1x_edit.store.index import read_index, write_index
from step1x_edit.store.lock import locked
from step1x_edit.store.manifest import Manifest, open_store, read_manifest, seal_store
from step1x_edit.store.reading import (
    StoredTriplet,
    read_encoded,
    read_records,
    read_rejections,
    read_shard,
    read_triplets,
    read_uids,
)
from step1x_edit.store.shard import EncodedTriplet, Shard, ShardFacts, encode_triplet, write_shard

__all__ = [
    "EncodedTriplet",
    "Manifest",
    "Shard",
    "ShardFacts",
    "StoreInfo",
    "StoredTriplet",
    "encode_triplet",
    "load_arrow",
    "locked",
    "open_store",
    "read_encoded",
    "read_index",
    "read_manifest",
    "read_records",
    "read_rejections",
    "read_shard",
    "read_store_info",
    "read_triplets",
    "read_uids",
    "seal_store",
    "write_index",
    "write_shard",
]
