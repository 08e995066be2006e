"""Find out whether an SQLite database lies on a network file system.

Its write-ahead log needs memory that all processes share, and locks that hold; neither works over
a network: https://www.sqlite.org/wal.html#overview
"""

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs"),
        *("gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2"),
        *("smb2", "smb3", "smbfs"),
    }
)
# After "fuse.", which stands before the name of the program that serves it.
NETWORK_FUSE = NETWORK | {
    *("blobfuse", "blobfuse2", "ceph-fuse", "curlftpfs", "gcsfuse", "goofys", "grpcfuse"),
    *("juicefs", "obsfs", "rclone", "s3fs", "seaweedfs", "sshfs"),
}
LINE = re.compile(r"(?:\S+ ){4}(?P<point>\S+) .*?- (?P<kind>\S+) ")


def network_file_system(file: Path, mounts: str | None = None) -> str:
    """Return the kind of network file system that a file is on; "" for none.

    Also "" where the system does not say. ``mounts`` is the text of /proc/self/mountinfo, which is
    read where it is not given.
    """
    if mounts is None:
        try:
            mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    folder = file.resolve().parent
    kind = _kind_of_mount(folder, mounts)
    name = kind.removeprefix("fuse.")
    return kind if name in (NETWORK_FUSE if kind.startswith("fuse.") else NETWORK) else ""


def _kind_of_mount(folder: Path, mounts: str) -> str:
    """Return the kind of file system of a folder; "" where it is under none of these mounts.

    A line is: number, parent, device, root, mount point, options, optional fields, "-", kind, …
    https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    """
    kind, depth = "", -1
    for line in mounts.splitlines():
        if not (mount := LINE.match(line)):
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), mount["point"]))
        # Of two on one point the later covers the earlier.
        if folder.is_relative_to(point) and len(point.parts) >= depth:
            kind, depth = mount["kind"], len(point.parts)
    return kind
