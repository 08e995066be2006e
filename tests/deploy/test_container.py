"""The image and the compose file: linted, whole, and a bot runs by the image's own steps."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cli.demo_story import POLICY
from bot.sandbox.secmaster import SecMasterSandbox
from tests.support.command_line import installation
from tests.support.settings import setting_names
from tests.support.slack_recorder import SlackRecorder
from tests.support.tools import needs, run_program

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"
COMPOSE_FILE = ROOT / "deploy/compose.yaml"
OPERATE = (ROOT / "docs/operate.md").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
BOT, POSTGRES = COMPOSE["services"]["bot"], COMPOSE["services"]["postgres"]
# Which digest an image has can only be asked of its registry; the Dockerfile says how.
NO_DIGEST = "CL-0019"


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, each as its name and the rest."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [
        (name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line)
    ]


def stages() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the instructions of the stage that builds, and of the one that runs."""
    steps = instructions()
    first, second = (number for number, (name, _) in enumerate(steps) if name == "FROM")
    return steps[first + 1 : second], steps[second + 1 :]


BUILD, RUN = stages()


def rest_of(stage: list[tuple[str, str]], instruction: str) -> str:
    [rest] = [rest for name, rest in stage if name == instruction]
    return rest


def copied() -> list[tuple[list[str], str]]:
    """Return what is copied out of the repository, and to where."""
    words = [rest.split() for name, rest in BUILD if name == "COPY"]
    return [(sources, destination) for *sources, destination in words]


def variables() -> dict[str, str]:
    """Return the variables of the stage that runs."""
    return dict(word.split("=", 1) for word in rest_of(RUN, "ENV").split())


@needs("hadolint")
def test_the_dockerfile_is_linted() -> None:
    linted = run_program("hadolint", DOCKERFILE)
    assert (linted.stdout, linted.returncode) == ("", 0)


def test_the_compose_file_is_linted() -> None:
    linted = run_program("compose-lint", "check", "--no-env", "--format", "json", COMPOSE_FILE)
    report = json.loads(linted.stdout)
    assert {finding["rule_id"] for finding in report["findings"]} == {NO_DIGEST}


def test_the_image_gets_what_it_copies_and_nothing_else() -> None:
    """.dockerignore leaves all out but what it names."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sources = {source for names, _destination in copied() for source in names}
    assert all((ROOT / source).exists() for source in sources)
    assert "*" in lines
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == sources


def test_the_image_knows_no_secret_and_is_nobodys() -> None:
    assert variables().keys() <= {"PATH", "PYTHONDONTWRITEBYTECODE"} | setting_names()
    user = rest_of(RUN, "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert BOT["user"] == user
    assert rest_of(RUN, "STOPSIGNAL") == "SIGTERM"


def secret_files(service: dict[str, Any]) -> list[str]:
    """Return the names of the files in /run/secrets that a service reads its secrets from."""
    files = [str(value) for name, value in service["environment"].items() if name.endswith("_FILE")]
    assert all(file.startswith("/run/secrets/") for file in files)
    return [file.removeprefix("/run/secrets/") for file in files]


@pytest.mark.parametrize(
    ("service", "folder"), [(BOT, "bot"), (POSTGRES, "postgres")], ids=["bot", "postgres"]
)
def test_each_service_gets_the_folder_of_its_secrets_alone_and_can_not_write_there(
    service: dict[str, Any], folder: str
) -> None:
    """A mount of one file is of its inode: a secret that `install` replaces would never be seen."""
    mounts = [volume for volume in service["volumes"] if "secrets" in str(volume)]
    source, target = f"./secrets/{folder}", "/run/secrets"
    assert mounts == [{"type": "bind", "source": source, "target": target, "read_only": True}]
    assert "secrets" not in service
    number = service["user"].partition(":")[0]
    made = f"install -d -m 0500 -o {number} -g {number} secrets/{folder}\n"
    assert made in OPERATE
    for name in secret_files(service):
        assert re.search(rf"secrets/{folder}/{name}\b|`{name}`", OPERATE)


def test_the_compose_file_sets_what_the_bot_reads() -> None:
    names = {name.removesuffix("_FILE") for name in BOT["environment"]}
    assert names <= setting_names()
    assert not set(secret_files(BOT)) & set(secret_files(POSTGRES))


@pytest.fixture
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all the steps of the stage that builds were played."""
    root = tmp_path_factory.mktemp("image")
    workdir = root / rest_of(BUILD, "WORKDIR").strip("/")
    workdir.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # for pip
    for name, rest in BUILD:
        if name == "COPY":
            *sources, destination = rest.split()
            for source in sources:
                copy(ROOT / source, workdir / destination)
        elif name == "RUN":
            script = within(root, rest)
            subprocess.run(
                script, shell=True, cwd=workdir, env=os.environ | {"PATH": path}, check=True
            )
    return root


def copy(source: Path, destination: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, destination, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, destination)


def within(root: Path, text: str) -> str:
    """Return a text with the image's folders below this one."""
    return re.sub(r"(?<![\w.-])/(?=(opt|build|data)\b)", f"{root}/", text)


@pytest.mark.slow
@pytest.mark.longest(180)
async def test_a_bot_runs_by_the_steps_of_the_image_and_writes_into_its_data_alone(
    image: Path, slack: SlackRecorder, secmaster: SecMasterSandbox, tmp_path: Path
) -> None:
    """With the versions and hashes of requirements.lock, and without the repository.

    One test, since another process of the tests would play all the steps again.
    """
    [packages] = (image / "opt/secmaster-bot/lib").glob("python*/site-packages")
    for folder in ("bot", "handlers"):
        assert sources(packages / folder) == sources(ROOT / folder)
    data, temporary = image / "data", tmp_path / "tmp"
    data.mkdir()
    temporary.mkdir()
    policy = tmp_path / "secmaster-bot.toml"
    policy.write_text(POLICY)
    before = files(image)
    environment = {name: within(image, value) for name, value in variables().items()}
    environment |= installation(slack, secmaster) | free_ports()
    environment |= {
        "BOT_HOST": "127.0.0.1",
        "BOT_CONFIG": str(policy),
        "PATH": environment["PATH"].replace("$PATH", os.environ["PATH"]),
        "TMPDIR": str(temporary),
    }
    command = [*json.loads(rest_of(RUN, "ENTRYPOINT")), *json.loads(rest_of(RUN, "CMD"))]
    pipe = asyncio.subprocess.PIPE
    program = shutil.which(command[0], path=environment["PATH"])
    assert program == str(image / "opt/secmaster-bot/bin/secmaster-bot")
    bot = await asyncio.create_subprocess_exec(
        program, *command[1:], cwd=data, env=environment, stderr=pipe
    )
    assert bot.stderr
    try:
        while b'"ready"' not in (line := await bot.stderr.readline()):
            assert line, "it ended"
        assert await health_check(environment) == 0
        bot.send_signal(getattr(signal, rest_of(RUN, "STOPSIGNAL")))
        await bot.stderr.read()
        assert await bot.wait() == 0
    finally:
        if bot.returncode is None:
            bot.kill()
            await bot.wait()
    assert await health_check(environment) != 0
    written = {path.name.partition(".db")[0] for path in files(image) - before}
    assert written == {"secmaster-bot"}
    assert list(temporary.iterdir()) == []
    demo = await asyncio.create_subprocess_exec(
        *(program, "demo", "--once", "--slack-port", "0", "--secmaster-port", "0"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        stdout=pipe,
        stderr=pipe,
    )
    story, complaints = await demo.communicate()
    assert (demo.returncode, complaints) == (0, b"")
    assert b"*Approved by @Alice" in story


def sources(folder: Path) -> set[Path]:
    """Return the files below a folder, but for what Python makes of them."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder) for path in paths}


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def free_ports() -> dict[str, str]:
    ports = {}
    for name in ("BOT_PORT", "BOT_HEALTH_PORT"):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ports[name] = str(listener.getsockname()[1])
    return ports


async def health_check(environment: dict[str, str]) -> int:
    """Run what the image is asked for its health with, and return its exit code."""
    command = json.loads(rest_of(RUN, "HEALTHCHECK").partition(" CMD ")[2])
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()
