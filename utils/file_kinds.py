"""Recognizes the files that a failed download, copy or checkout leaves behind."""


def failed_download(head: bytes) -> str | None:
    """Return what a file is in place of its data, and what to do; None if unknown.

    Args:
        head: the first bytes of the file, 64 or more.
    """
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if not head:
        return "empty; download or copy it again"
    if text.startswith(b"version https://git-lfs"):
        return (
            "a Git-LFS pointer, not the file itself; "
            "run `git lfs pull` or download the file"
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "an HTML page: the server answered with a page; download the file itself"
    return None
