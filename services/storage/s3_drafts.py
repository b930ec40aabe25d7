"""Pieces of unfinished uploads as objects of a bucket, `uploads/ID/NAME`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
import io
from uuid import uuid4

from learndock.serving.s3 import Bucket, open_client, pieces_of, told
from learndock.serving.sql import now

_FOLDER = "uploads/"


class S3Drafts:
    """Makes, reads and removes such objects."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket.name
        self._client = open_client(bucket)

    def put(self, upload_id: str, data: bytes) -> str:
        """Keep bytes durably; the name of their object."""
        name = f"{_FOLDER}{upload_id}/{uuid4().hex}"
        with told():
            self._client.put_object(
                self._bucket, name, io.BytesIO(data), len(data), part_size=max(len(data), 5 * 2**20)
            )
        return name

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of an object."""
        with told():
            yield from pieces_of(self._client, self._bucket, name)

    def discard(self, upload_id: str) -> None:
        """Remove all objects of an upload."""
        with told():
            for found in self._client.list_objects(self._bucket, f"{_FOLDER}{upload_id}/"):
                self._client.remove_object(self._bucket, str(found.object_name))

    def older_than(self, age: timedelta) -> set[str]:
        """Uploads with an object that was made so long ago."""
        with told():
            return {
                str(found.object_name).split("/")[1]
                for found in self._client.list_objects(self._bucket, _FOLDER, recursive=True)
                if found.last_modified and found.last_modified < now() - age
            }
