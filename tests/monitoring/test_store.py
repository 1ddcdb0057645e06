"""A bucket and a folder are read and written alike."""

import io

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from store import BLOCK_BYTES, FolderStore, GoneError, S3Store, lines


@pytest.fixture
def stubbed():
    client = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="none", aws_secret_access_key="none")
    with Stubber(client) as stub:
        yield S3Store(client, "bucket", "arn:aws:kms:eu-west-1:111122223333:key/k"), stub
        stub.assert_no_pending_responses()


def test_a_bucket_is_listed_page_by_page(stubbed):
    store, stub = stubbed
    page = {"Contents": [{"Key": "a/1", "ETag": '"x"', "Size": 3, "LastModified": "2026-11-27T14:00:00Z"}]}
    stub.add_response("list_objects_v2", {**page, "IsTruncated": True, "NextContinuationToken": "t"}, {"Bucket": "bucket", "Prefix": "a/"})
    stub.add_response("list_objects_v2", {"IsTruncated": False}, {"Bucket": "bucket", "Prefix": "a/", "ContinuationToken": "t"})
    assert [(item.key, item.etag, item.bytes_count) for item in store.list("a/")] == [("a/1", "x", 3)]


def test_what_is_written_to_a_bucket_has_its_key(stubbed):
    store, stub = stubbed
    expected = {"Bucket": "bucket", "Key": "a/1", "Body": b"x", "ContentType": "text/csv", "ServerSideEncryption": "aws:kms"}
    stub.add_response("put_object", {}, {**expected, "SSEKMSKeyId": "arn:aws:kms:eu-west-1:111122223333:key/k"})
    store.write("a/1", b"x", "text/csv")


def test_an_object_that_is_gone_says_so(stubbed, tmp_path):
    store, stub = stubbed
    stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
    for each in (store, FolderStore(tmp_path)):
        with pytest.raises(GoneError):
            each.read("a/1")


def test_folders_are_what_is_directly_below(stubbed, tmp_path):
    store, stub = stubbed
    stub.add_response("list_objects_v2", {"CommonPrefixes": [{"Prefix": "a/b/"}]}, {"Bucket": "bucket", "Prefix": "a/", "Delimiter": "/"})
    assert store.folders("a/") == ["a/b/"]
    folder = FolderStore(tmp_path)
    folder.write("a/b/c/1", b"", "")
    folder.write("a/2", b"", "")
    assert folder.folders("a/") == ["a/b/"]
    assert folder.folders("none/") == []


def test_a_folder_is_listed_by_prefix_in_the_order_of_keys(tmp_path):
    store = FolderStore(tmp_path)
    for key in ("a/2", "a/1", "ab/3", "b/4"):
        store.write(key, key.encode(), "")
    assert [item.key for item in store.list("a")] == ["a/1", "a/2", "ab/3"]
    before = store.list("a/1")[0].etag
    store.write("a/1", b"other", "")
    assert store.list("a/1")[0].etag != before


@pytest.mark.parametrize("content", [b"", b"a\nb", b"a\nb\n", b"\n\n", b"x" * (2 * BLOCK_BYTES) + b"\ny", b"ab\n" * 400_000])
def test_lines_are_those_of_the_content(content):
    expected = content.split(b"\n")
    assert list(lines(io.BytesIO(content))) == (expected if expected[-1] else expected[:-1])


def test_a_file_without_lines_is_not_held_as_a_whole(monkeypatch):
    monkeypatch.setattr("store.LONGEST_LINE_BYTES", 2 * BLOCK_BYTES)
    first, second = lines(io.BytesIO(b"x" * (9 * BLOCK_BYTES) + b"\nshort"))
    assert (len(first), second) == (2 * BLOCK_BYTES, b"short")


@pytest.mark.parametrize(("listed", "says"), [("a/key.json", GoneError), ("a/key", ClientError)])
def test_an_object_that_is_not_there_is_gone_also_for_whom_s3_does_not_tell_so(stubbed, listed, says):
    store, stub = stubbed
    stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
    stub.add_response("list_objects_v2", {"Contents": [{"Key": listed, "ETag": "1", "Size": 1, "LastModified": "2026-11-27T14:00:00Z"}]})
    with pytest.raises(says):
        store.read("a/key")


@pytest.mark.parametrize(("etag", "condition"), [(None, {"IfNoneMatch": "*"}), ("x", {"IfMatch": '"x"'})])
@pytest.mark.parametrize("refused", ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "AccessDenied", None])
def test_an_object_is_written_only_if_nobody_else_was_faster(stubbed, etag, condition, refused):
    store, stub = stubbed
    expected = {"Bucket": "bucket", "Key": "a/1", "Body": b"x", "ContentType": "text/csv", "ServerSideEncryption": "aws:kms"}
    key = {"SSEKMSKeyId": "arn:aws:kms:eu-west-1:111122223333:key/k"}
    if refused:
        stub.add_client_error("put_object", refused, expected_params=expected | key | condition)
    else:
        stub.add_response("put_object", {}, expected | key | condition)
    if refused == "AccessDenied":
        with pytest.raises(ClientError):
            store.write_if_unchanged("a/1", b"x", "text/csv", etag)
    else:
        assert store.write_if_unchanged("a/1", b"x", "text/csv", etag) is (refused is None)


def test_a_file_is_written_only_if_it_is_the_one_that_was_seen(tmp_path):
    store = FolderStore(tmp_path)
    assert store.write_if_unchanged("a/1", b"x", "", None)
    assert not store.write_if_unchanged("a/1", b"y", "", None)
    etag = store.list("a/1")[0].etag
    assert store.write_if_unchanged("a/1", b"y", "", etag)
    assert not store.write_if_unchanged("a/1", b"z", "", etag)
    assert store.read("a/1").read() == b"y"
