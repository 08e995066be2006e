"""The workspace's files: their contents, where they are shared, and who may read them.

https://docs.slack.dev/reference/objects/file-object
"""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from mimetypes import MimeTypes
from pathlib import PurePath
from urllib.parse import quote

from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.workspace import BOT_USER, TEAM, TEAM_DOMAIN, Channel, Json, Workspace

LARGEST = 64 * 1024**2
LONGEST_NAME = 255
TOO_LARGE = "a file may have 64 MiB at most"

# What Slack calls a file by its extension; the list is longer than what a sandbox needs.
FILETYPES = {
    "csv": ("csv", "CSV"),
    "gif": ("gif", "GIF"),
    "html": ("html", "HTML"),
    "jpeg": ("jpg", "JPEG"),
    "jpg": ("jpg", "JPEG"),
    "json": ("json", "JSON"),
    "log": ("text", "Plain Text"),
    "md": ("markdown", "Markdown (raw)"),
    "pdf": ("pdf", "PDF"),
    "png": ("png", "PNG"),
    "py": ("python", "Python"),
    "txt": ("text", "Plain Text"),
    "xml": ("xml", "XML"),
    "yaml": ("yaml", "YAML"),
    "yml": ("yaml", "YAML"),
    "zip": ("zip", "Zip"),
}
OTHER = ("binary", "Binary")
MIME = MimeTypes()  # the tables of Python itself, not this machine's


@dataclass
class StoredFile:
    """A file, in memory. Its name is only ever shown, and never used as a path."""

    id: str
    user: str
    name: str
    created: int
    title: str = ""
    alt_txt: str = ""
    snippet_type: str = ""
    content: bytes = b""
    shared: list[Channel] = field(default_factory=list)
    given_to_app: bool = False
    deleted: bool = False

    @property
    def extension(self) -> str:
        return PurePath(self.name).suffix.removeprefix(".").lower()

    @property
    def mimetype(self) -> str:
        return MIME.types_map[True].get(f".{self.extension}", "application/octet-stream")

    def visible_to(self, user: str) -> bool:
        return user == self.user or any(user in channel.members for channel in self.shared)


@dataclass
class Files:
    """All files of the workspace. ``base_url`` is where they are served."""

    workspace: Workspace
    base_url: Callable[[], str]
    stored: dict[str, StoredFile] = field(default_factory=dict)
    _announced: dict[str, tuple[StoredFile, int]] = field(default_factory=dict)
    _received: dict[str, StoredFile] = field(default_factory=dict)

    # Uploads by the app: announce, send the bytes, complete.

    def announce(self, name: str, length: int, alt_txt: str, snippet_type: str) -> tuple[str, str]:
        """Announce a file of the app; returns its id, and the URL that takes its bytes once."""
        file = self._new(BOT_USER, name)
        file.alt_txt, file.snippet_type = alt_txt, snippet_type
        ticket = secrets.token_hex(12)
        self._announced[ticket] = (file, length)
        return file.id, f"{self.base_url()}/_upload/{ticket}"

    def receive(self, ticket: str, content: bytes) -> None:
        """Store the bytes of an announced file."""
        if ticket not in self._announced:
            raise ValueError("no upload is expected here, or not any more")
        file, length = self._announced[ticket]
        if len(content) != length:
            raise ValueError(f"{length} bytes were announced, and {len(content)} came")
        del self._announced[ticket]
        file.content = content
        self._received[file.id] = file

    def received(self, file_id: str) -> StoredFile:
        """Return a file whose bytes have arrived and whose upload is not completed yet."""
        if file_id not in self._received:
            raise SlackError("file_not_found")
        return self._received[file_id]

    def complete(self, file: StoredFile, title: str) -> None:
        """Complete a file's upload, so that it can be shared."""
        file.title = title or file.name
        self.stored[file.id] = self._received.pop(file.id)

    # Uploads by a person.

    def upload(self, user: str, name: str, content: bytes) -> StoredFile:
        """Store a person's file, which nobody else sees yet."""
        if user not in self.workspace.users:
            raise ValueError(f"nobody is called {user}")
        if not name.strip() or not content:
            raise ValueError("a file has a name and is not empty")
        file = self._new(user, name)
        file.title, file.content = file.name, content
        self.stored[file.id] = file
        return file

    def owned(self, user: str, file_id: str) -> StoredFile:
        """Return a file that this person uploaded and may share."""
        file = self.stored.get(file_id)
        if file is None or file.user != user or file.deleted:
            raise ValueError(f"{user} has no file {file_id}")
        return file

    def for_person(self, user: str, file_id: str) -> StoredFile:
        """Return a file that this person can see."""
        file = self.stored.get(file_id)
        if file is None or file.deleted or not file.visible_to(user):
            raise ValueError(f"{user} sees no file {file_id}")
        return file

    # What the app and people do alike.

    def for_app(self, file_id: str) -> StoredFile:
        """Return a file that the app can see."""
        file = self.stored.get(file_id)
        if file is None or not (file.given_to_app or file.visible_to(BOT_USER)):
            raise SlackError("file_not_found")
        if file.deleted:
            raise SlackError("file_deleted")
        return file

    def share(self, files: Iterable[StoredFile], channel: Channel) -> list[Json]:
        """Share files in a channel; returns their file objects for its message."""
        files = list(files)
        for file in files:
            if channel not in file.shared:
                file.shared.append(channel)
        return [self.described(file) for file in files]

    def delete(self, file: StoredFile) -> None:
        """Delete a file and its contents, and leave a tombstone in its messages."""
        file.deleted, file.content = True, b""
        self.workspace.drop_file(file.id)

    def described(self, file: StoredFile) -> Json:
        """Return Slack's file object."""
        filetype, pretty_type = FILETYPES.get(file.extension, OTHER)
        private_url = f"{self.base_url()}/files-pri/{TEAM}-{file.id}"
        # The name as it ends a URL: one segment of its path, whatever the name is.
        slug = quote(re.sub(r"^\.+|[^\w.-]", "_", file.name.lower()))
        described: Json = {
            "id": file.id,
            "created": file.created,
            "timestamp": file.created,
            "name": file.name,
            "title": file.title,
            "mimetype": file.mimetype,
            "filetype": file.snippet_type or filetype,
            "pretty_type": pretty_type,
            "user": file.user,
            "size": len(file.content),
            "mode": "hosted",
            "is_external": False,
            "url_private": f"{private_url}/{slug}",
            "url_private_download": f"{private_url}/download/{slug}",
            "permalink": f"https://{TEAM_DOMAIN}.slack.com/files/{file.user}/{file.id}/{slug}",
            "channels": [channel.id for channel in file.shared if channel.kind == "channels"],
            "groups": [channel.id for channel in file.shared if channel.kind == "groups"],
            "ims": [channel.id for channel in file.shared if channel.kind == "im"],
        }
        return described | ({"alt_txt": file.alt_txt} if file.alt_txt else {})

    def _new(self, user: str, name: str) -> StoredFile:
        # JSON can carry half of a surrogate pair, which no URL can.
        valid_name = name[:LONGEST_NAME].encode(errors="replace").decode()
        created = int(self.workspace.clock())
        return StoredFile(self.workspace.new_id("F"), user, valid_name, created)
