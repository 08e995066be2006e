"""The workspace's files: what was uploaded, where it is shared, and who may have it.

https://docs.slack.dev/reference/objects/file-object
"""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from mimetypes import MimeTypes
from pathlib import PurePath
from urllib.parse import quote

from bot.sandbox.slack.permits import SlackError
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
    """A file. Its name is only ever shown; nothing of it goes near a disk."""

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

    def seen_by(self, user: str) -> bool:
        return user == self.user or any(user in place.members for place in self.shared)


@dataclass
class Files:
    """Every file, in memory. ``base_url`` is where they are served."""

    workspace: Workspace
    base_url: Callable[[], str]
    stored: dict[str, StoredFile] = field(default_factory=dict)
    _announced: dict[str, tuple[StoredFile, int]] = field(default_factory=dict)
    _received: dict[str, StoredFile] = field(default_factory=dict)

    # The app's way: announce, send the bytes, complete.

    def announce(self, name: str, length: int, alt_txt: str, snippet_type: str) -> tuple[str, str]:
        """Expect a file of the app's; its id, and the address for its bytes, good for once."""
        file = self._new(BOT_USER, name)
        file.alt_txt, file.snippet_type = alt_txt, snippet_type
        ticket = secrets.token_hex(12)
        self._announced[ticket] = (file, length)
        return file.id, f"{self.base_url()}/_upload/{ticket}"

    def receive(self, ticket: str, content: bytes) -> None:
        """Take the bytes of an announced file."""
        if ticket not in self._announced:
            raise ValueError("no upload is expected here, or not any more")
        file, length = self._announced[ticket]
        if len(content) != length:
            raise ValueError(f"{length} bytes were announced, and {len(content)} came")
        del self._announced[ticket]
        file.content = content
        self._received[file.id] = file

    def received(self, file_id: str) -> StoredFile:
        """A file whose bytes are here and which waits for its completion."""
        if file_id not in self._received:
            raise SlackError("file_not_found")
        return self._received[file_id]

    def complete(self, file: StoredFile, title: str) -> None:
        file.title = title or file.name
        self.stored[file.id] = self._received.pop(file.id)

    # A person's way.

    def upload(self, user: str, name: str, content: bytes) -> StoredFile:
        """Keep a person's file, which nobody else sees yet."""
        if user not in self.workspace.users:
            raise ValueError(f"nobody is called {user}")
        if not name.strip() or not content:
            raise ValueError("a file has a name and is not empty")
        file = self._new(user, name)
        file.title, file.content = file.name, content
        self.stored[file.id] = file
        return file

    def owned(self, user: str, file_id: str) -> StoredFile:
        """A file this person uploaded and may now share."""
        file = self.stored.get(file_id)
        if file is None or file.user != user or file.deleted:
            raise ValueError(f"{user} has no file {file_id}")
        return file

    def shown_to(self, user: str, file_id: str) -> StoredFile:
        file = self.stored.get(file_id)
        if file is None or file.deleted or not file.seen_by(user):
            raise ValueError(f"{user} sees no file {file_id}")
        return file

    # What both do with them.

    def for_app(self, file_id: str) -> StoredFile:
        """A file as far as the app can see it."""
        file = self.stored.get(file_id)
        if file is None or not (file.given_to_app or file.seen_by(BOT_USER)):
            raise SlackError("file_not_found")
        if file.deleted:
            raise SlackError("file_deleted")
        return file

    def share(self, files: Iterable[StoredFile], place: Channel) -> list[Json]:
        """Let a channel see files; how its message shows them."""
        files = list(files)
        for file in files:
            if place not in file.shared:
                file.shared.append(place)
        return [self.described(file) for file in files]

    def delete(self, file: StoredFile) -> None:
        file.deleted, file.content = True, b""
        self.workspace.drop_file(file.id)

    def described(self, file: StoredFile) -> Json:
        """The file object."""
        filetype, pretty = FILETYPES.get(file.extension, OTHER)
        private, slug = f"{self.base_url()}/files-pri/{TEAM}-{file.id}", _slug(file.name)
        described: Json = {
            "id": file.id,
            "created": file.created,
            "timestamp": file.created,
            "name": file.name,
            "title": file.title,
            "mimetype": file.mimetype,
            "filetype": file.snippet_type or filetype,
            "pretty_type": pretty,
            "user": file.user,
            "size": len(file.content),
            "mode": "hosted",
            "is_external": False,
            "url_private": f"{private}/{slug}",
            "url_private_download": f"{private}/download/{slug}",
            "permalink": f"https://{TEAM_DOMAIN}.slack.com/files/{file.user}/{file.id}/{slug}",
            "channels": [place.id for place in file.shared if place.kind == "channels"],
            "groups": [place.id for place in file.shared if place.kind == "groups"],
            "ims": [place.id for place in file.shared if place.kind == "im"],
        }
        return described | ({"alt_txt": file.alt_txt} if file.alt_txt else {})

    def _new(self, user: str, name: str) -> StoredFile:
        # JSON can carry half of a surrogate pair, which no address can.
        sound = name[:LONGEST_NAME].encode(errors="replace").decode()
        return StoredFile(self.workspace.new_id("F"), user, sound, int(self.workspace.clock()))


def _slug(name: str) -> str:
    """The name as it ends an address: one segment of it, whatever the name is."""
    return quote(re.sub(r"^\.+|[^\w.-]", "_", name.lower()))
