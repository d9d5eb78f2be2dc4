"""Files that are not what their names say, told from their first bytes."""


def failed_download(head: bytes) -> str | None:
    """Return what a file is in place of data, and what to do, from its first bytes (64 or more); None: nothing known.

    These are what a failed download, copy or checkout leaves behind.
    """
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if not head:
        return "empty; download or copy it again"
    if text.startswith(b"version https://git-lfs"):
        return "a Git-LFS pointer, not the file itself; run `git lfs pull` or download the file"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "an HTML page: the server answered with a page; download the file itself"
    return None
