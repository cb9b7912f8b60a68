"""The mechanism that runs the examples of documents notices when one is wrong."""

from pathlib import Path

import pytest

from tests.contracts import documents


def _document(folder: Path, text: str) -> Path:
    path = folder / "example.md"
    path.write_text(text, encoding="utf-8")
    return path


def _example(folder: Path, text: str, *, language: str = "console") -> documents.Block:
    document = _document(folder, f"Words.\n\n```{language} run\n{text}\n```\n")
    return documents.examples(document)[0]


def test_only_marked_blocks_are_run(tmp_path: Path) -> None:
    document = _document(
        tmp_path, "```console\n$ false\n```\n\n```python run\nprint(1)\n```\n\n````\n```\n````\n"
    )

    found = documents.blocks(document)

    assert [(block.language, block.line) for block in found] == [
        ("console", 2),
        ("python", 6),
        ("", 10),
    ]
    assert [str(block) for block in documents.examples(document)] == ["example.md:6"]


def test_a_document_that_does_not_exist_has_no_examples(tmp_path: Path) -> None:
    assert documents.examples(tmp_path / "none.md") == []


def test_commands_go_on_and_print(tmp_path: Path) -> None:
    block = _example(tmp_path, "$ echo one \\\n> two\none two\n$ true")

    assert documents.commands(block) == [
        documents.Command("echo one \\\ntwo", ("one two",)),
        documents.Command("true", ()),
    ]


def test_output_before_the_first_command_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"example\.md:4"):
        documents.commands(_example(tmp_path, "one\n$ echo one"))


@pytest.mark.parametrize(
    "text",
    [
        "$ echo one\none",
        "$ echo one\n$ echo two\ntwo",
        "$ name=Bon\n$ echo $name\nBon",
        "$ printf 'a\\nb\\nc\\n'\na\n…\nc",
        "$ printf 'a\\nc\\n'\na\n…\nc",
        "$ echo took 12 ms\ntook … ms",
        "$ cat <<END\n> [x] *\n> END\n[x] *",
        "$ echo $PLACE\nhere",
    ],
)
async def test_an_example_that_is_right_passes(tmp_path: Path, text: str) -> None:
    await documents.run(_example(tmp_path, text), folder=tmp_path, environment={"PLACE": "here"})


@pytest.mark.parametrize(
    "text",
    [
        "$ echo one\ntwo",
        "$ false",
        "$ false\n$ true",
        "$ echo one\none\ntwo",
        "$ printf 'a\\nb\\n'\na",
    ],
)
async def test_an_example_that_is_wrong_fails(tmp_path: Path, text: str) -> None:
    with pytest.raises(AssertionError, match=r"example\.md:4"):
        await documents.run(_example(tmp_path, text), folder=tmp_path)


async def test_a_program_has_to_end_well(tmp_path: Path) -> None:
    right = _example(tmp_path, "import services.runtime", language="python")
    await documents.run(right, folder=tmp_path)

    wrong = _example(tmp_path, "raise SystemExit(3)", language="python")
    with pytest.raises(AssertionError, match="ended with 3"):
        await documents.run(wrong, folder=tmp_path)


async def test_words_of_an_example_can_be_exchanged(tmp_path: Path) -> None:
    block = _example(tmp_path, "$ echo 127.0.0.1:7701\n127.0.0.1:7701")

    await documents.run(block, folder=tmp_path, replacing={"127.0.0.1:7701": "127.0.0.1:20123"})


async def test_an_example_in_another_language_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="cannot run 'ruby'"):
        await documents.run(_example(tmp_path, "puts 1", language="ruby"), folder=tmp_path)
