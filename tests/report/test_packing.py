"""Compressed content: nothing lost, and nothing in it but the content."""

import base64
import gzip

from hypothesis import given
from hypothesis import strategies as st

from studyrun_report.views.packing import as_text, packed


@given(st.binary(max_size=200))
def test_what_is_packed_can_be_read_back(content):
    assert gzip.decompress(packed(content)) == content
    assert gzip.decompress(base64.b64decode(as_text(content), validate=True)) == content


@given(st.binary(max_size=50))
def test_no_time_is_written_so_equal_contents_give_equal_bytes(content):
    """Bytes 5 to 8 of a gzip file are its time (RFC 1952), bit 4 of byte 4 announces a name."""
    assert packed(content)[4:8] == bytes(4)
    assert packed(content)[3] == 0
