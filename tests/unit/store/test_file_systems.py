"""An SQLite database on a network file system is found out by the text of mountinfo."""

from pathlib import Path

import pytest

from bot.store import close, connect, file_systems, migrate, network_file_system

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:28 / /srv/nfs rw,relatime shared:15 - nfs4 10.0.0.5:/export rw,vers=4.1
31 30 8:2 / /srv/nfs/local rw - xfs /dev/sdb1 rw
32 22 0:29 / /srv/my\040share rw shared:16 master:2 - cifs //host/share rw
33 22 0:30 / /srv/ssh rw - fuse.sshfs me@host:/ rw
34 22 0:31 / /srv/covered rw - nfs 10.0.0.5:/other rw
35 22 0:32 / /srv/covered rw - tmpfs tmpfs rw
36 22 0:33 / /srv/obs rw - fuse.obsfs obsfs rw
37 22 8:3 / /srv/ntfs rw - fuse.ntfs-3g /dev/sdc1 rw
38 22 0:34 / /srv/gluster rw - fuse.glusterfs host:/volume rw
39 22 0:35 / /srv/c rw - 9p C:\134 rw
broken
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib", ""),
        ("/srv/nfs", "nfs4"),
        ("/srv/nfs/deep/er", "nfs4"),
        ("/srv/nfs-not", ""),
        ("/srv/nfs/local", ""),
        ("/srv/my share", "cifs"),
        ("/srv/ssh", "fuse.sshfs"),
        ("/srv/covered", ""),
        ("/srv/obs", "fuse.obsfs"),
        ("/srv/ntfs", ""),
        ("/srv/gluster", "fuse.glusterfs"),
        ("/srv/c/bot", "9p"),
    ],
)
def test_the_mount_that_is_nearest_tells(folder: str, kind: str) -> None:
    assert network_file_system(Path(folder) / "bot.db", MOUNTS) == kind


def test_a_link_is_followed_to_where_the_file_is(tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    (tmp_path / "bot.db").symlink_to(tmp_path / "remote" / "bot.db")
    mounts = f"22 1 8:1 / / rw - ext4 /dev/sda rw\n30 22 0:28 / {tmp_path}/remote rw - nfs4 h:/ rw"
    assert network_file_system(tmp_path / "bot.db", mounts) == "nfs4"


def test_where_the_system_says_nothing_nothing_is_known(tmp_path: Path) -> None:
    assert network_file_system(tmp_path / "bot.db", "") == ""


def test_a_start_warns_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(file_systems, "MOUNTS", mounts)
    for kind, count in (("ext4", 0), ("nfs4", 1)):
        mounts.write_text(f"22 1 8:1 / / rw,relatime shared:1 - {kind} source rw\n")
        engine = connect(f"sqlite:///{tmp_path / 'bot.db'}")
        migrate(engine)
        close(engine)
        assert caplog.text.count("network file system") == count
