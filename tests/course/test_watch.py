"""The watching student: a verdict after every save, keys, and nothing that stops it; in a real terminal."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from small_course import BOTH_STEPS, ONE_STEP, STUBS, WRONG, Course, small_course
from terminal import COLUMNS, Terminal, working_folders

from labkit.student import events, keys, watch

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="watching forks; this system cannot")

WATCH = [sys.executable, "-m", "labkit", "watch", "lab07"]
IDLE = r"step (\d):  h hint  n next step  a all  r reset  q quit"
LOOP = re.sub("raise NotImplementedError.*", r"while True:\n        pass", STUBS)
EXIT = re.sub("raise NotImplementedError.*", "os._exit(3)", STUBS)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Deep down: the stack of a hang, which watch reads, is as long as the paths of its frames."""
    return small_course(tmp_path_factory.mktemp("course") / ("deep" * 50))


@pytest.fixture(scope="module")
def terminal(course: Course) -> Iterator[Terminal]:
    """One for all tests but the last ones: each saves the file that it needs."""
    (course.root / "scratch").mkdir()
    environment = course.environment(TERM="xterm", TMPDIR=str(course.root / "scratch")) | {"NO_COLOR": ""}
    started = Terminal([*WATCH, "--limit", "4"], course.root, environment)
    try:
        started.wait_for(IDLE, 60)
        yield started
    finally:
        started.close()


def save(course: Course, terminal: Terminal, text: str, until: str = IDLE) -> str:
    """What is shown from a save to its verdict; `until` is the last of it."""
    course.file.write_text(text, encoding="utf-8")
    return terminal.wait_for(rf"--- \d\d:\d\d:\d\d  .*{until}", 30)


def test_stub_is_told_what_to_write(course: Course, terminal: Terminal) -> None:
    said = save(course, terminal, STUBS + "\n")
    assert "0 of 3 points, 1 todo" in said
    assert "Next: step 1, write double in src/tiny.py" in said
    assert "Read docs/07_tiny.md#doubling" in said


def test_failure_has_four_lines_and_what_was_printed(course: Course, terminal: Terminal) -> None:
    said = save(course, terminal, WRONG)
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*[mK]", "", said).splitlines()]
    start = lines.index("test_double_is_twice (step 1, 3 points)")
    assert [lines[start + number].partition(":")[0] for number in (1, 2, 3, 4, 5)] == [
        "got", "expected", "cause", "read", "printed",
    ]  # fmt: skip
    assert "squared 4" in lines[start + 5]
    assert max(map(len, lines)) <= COLUMNS


def test_pass_names_the_next_step_and_n_goes_there(course: Course, terminal: Terminal) -> None:
    assert "n goes on to step 2: Halving" in save(course, terminal, ONE_STEP)
    terminal.press("n")
    assert "Next: step 2, write halve" in terminal.wait_for("--- .*step 2:  h hint")
    assert "4 of 4 points, 1 passed" in save(course, terminal, BOTH_STEPS + "\n")


def test_a_tests_everything(course: Course, terminal: Terminal) -> None:
    save(course, terminal, BOTH_STEPS)
    terminal.press("a")
    said = terminal.wait_for(rf"all steps -.*{IDLE}")
    assert "All steps passed" in said and "7 of 7 points, 2 passed" in said


def test_a_right_after_a_save_is_not_lost(course: Course, terminal: Terminal) -> None:
    """The key comes before the file has come to rest; the save tests all steps again."""
    course.file.write_text(BOTH_STEPS + "# all\n")
    terminal.press("a")
    said = terminal.wait_for(rf"--- .*{IDLE}")
    assert "all steps -" in said and "7 of 7 points, 2 passed" in said
    assert "step 2: Halving -" in save(course, terminal, BOTH_STEPS + "# one step\n"), "the next save is of the step"


def test_h_hints_one_rung_more_each_time(course: Course, terminal: Terminal) -> None:
    terminal.press("h")
    assert "a question" in terminal.wait_for("2 more: h")
    terminal.press("h")
    assert "the idea" in terminal.wait_for("1 more: h")


def test_syntax_error_is_a_line(course: Course, terminal: Terminal) -> None:
    said = save(course, terminal, ONE_STEP + "\nx = (\n")
    assert "src/tiny.py, line 13: '(' was never closed: x = (" in said
    assert "passed" in save(course, terminal, BOTH_STEPS)


def test_file_that_goes_away_is_waited_for(course: Course, terminal: Terminal) -> None:
    """Deleted, and put back by renaming another, as many editors save."""
    course.file.unlink()
    said = " ".join(terminal.wait_for("in its place|in\n.*its place|its\n.*place").split())
    assert "src/tiny.py is not there" in said and "make reset-lab07" in said
    other = course.file.with_suffix(".new")
    other.write_text(BOTH_STEPS)
    other.rename(course.file)
    assert "passed" in terminal.wait_for(rf"--- .*{IDLE}")


def test_endless_loop_is_ended_and_its_line_named(course: Course, terminal: Terminal) -> None:
    said = save(course, terminal, LOOP)
    shown = " ".join(said.split())
    assert re.search(r"no answer within 4 s, src/tiny\.py, line \d+, in (double|halve) ", shown), said
    assert "1 timeout" in shown
    assert re.search(r"(3 of 3|4 of 4) points", save(course, terminal, BOTH_STEPS + "#\n"))


def test_save_ends_a_run_that_goes_on(course: Course, terminal: Terminal) -> None:
    course.file.write_text(LOOP + "# again\n")
    terminal.wait_for("testing, 1 s")
    assert "no answer" not in save(course, terminal, BOTH_STEPS)


@pytest.mark.parametrize("where", ["import os; os._exit(3)\n", f"import os\n{EXIT}"])
def test_code_that_ends_python_ends_nothing_else(course: Course, terminal: Terminal, where: str) -> None:
    said = " ".join(save(course, terminal, where).split())
    assert re.search(r"ended Python itself \(exit code 3\)", said), said


def test_r_asks_and_keeps_the_file(course: Course, terminal: Terminal) -> None:
    save(course, terminal, ONE_STEP + "# mine\n")
    terminal.press("r")
    terminal.wait_for("y yes, any other key no")
    terminal.press("x")
    terminal.wait_for(IDLE)
    assert course.file.read_text() == ONE_STEP + "# mine\n"
    terminal.press("r")
    terminal.wait_for("y yes, any other key no")
    time.sleep(watch.PAUSE)
    terminal.press("y")
    assert "Next: step 1, write double" in terminal.wait_for(rf"kept: .*--- .*{IDLE}")
    assert course.file.read_text() == STUBS
    assert any(path.read_text() == ONE_STEP + "# mine\n" for path in (course.root / "backups").iterdir())


def test_esc_says_no(course: Course, terminal: Terminal) -> None:
    save(course, terminal, ONE_STEP + "# escaped\n")
    terminal.press("r")
    terminal.wait_for("y yes, any other key no")
    terminal.press("\x1b")
    terminal.wait_for(IDLE)
    assert course.file.read_text() == ONE_STEP + "# escaped\n"


def test_folder_in_the_files_place_is_said(course: Course, terminal: Terminal) -> None:
    course.file.unlink()
    course.file.mkdir()
    terminal.wait_for("src/tiny.py is not a file: move it away")
    course.file.rmdir()
    assert "passed" in save(course, terminal, ONE_STEP)


def test_footer_is_one_line(terminal: Terminal) -> None:
    footers = [part.partition("\n")[0] for part in terminal.text.split("\r\x1b[K")]
    assert max(len(footer) for footer in footers if "quit" in footer) < COLUMNS


def test_verdicts_are_there_for_status(course: Course, terminal: Terminal) -> None:
    save(course, terminal, ONE_STEP + "# for status\n")
    terminal.press("a")
    terminal.wait_for(rf"all steps -.*{IDLE}")
    assert "  3 of   7, about 10 min left" in course.labkit("status").out


def test_ctrl_c_leaves_the_terminal_as_it_was(course: Course, terminal: Terminal) -> None:
    """Also in the middle of an endless loop; nothing that was started goes on."""
    course.file.write_text(LOOP)
    terminal.wait_for("testing, 1 s")
    terminal.press("\x03")
    assert terminal.ended() == 0
    assert terminal.restored()
    assert "Traceback" not in terminal.text
    assert str(course.root) not in working_folders()
    assert not any((course.root / "scratch").iterdir())


def test_without_a_terminal_it_is_plain_text(course: Course) -> None:
    """No keys, no colour, no footer; the help is in make commands; an interrupt ends it quietly."""
    course.file.write_text(WRONG)
    environment = course.environment(PYTHONUNBUFFERED="1") | {"NO_COLOR": ""}
    process = subprocess.Popen(
        WATCH, cwd=course.root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background jobs ignore it
    )  # fmt: skip
    said = ""
    while "Stuck?" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in rest and "\x1b" not in said + rest and "\r" not in said + rest
    assert "make hint-lab07 STEP=1" in said + rest
    assert "Ctrl-C ends it" in said


def test_step_that_is_not_there_is_refused(course: Course) -> None:
    ran = course.labkit("watch", "lab07", "--step", "9")
    assert (ran.code, ran.out) == (1, "")
    assert "lab07 has no step 9; it has 1 to 2" in ran.err


@pytest.mark.parametrize("columns", [40, 51, 80])
def test_footer_fits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, columns: int) -> None:
    """Every key and every answer is named in a narrow terminal too."""
    monkeypatch.setenv("COLUMNS", str(columns))
    footer = keys.Footer()
    footer.on = True
    for texts in (
        (watch.RESET, watch.RESET_SHORT),
        (f"testing, 10 s:  {watch.KEYS}", f"testing, 10 s: {watch.KEYS_SHORT}"),
    ):
        footer.set(*texts)
        assert footer.text in texts and len(footer.text) < columns


@pytest.mark.parametrize(
    ("sent", "keys_read"),
    [
        (b"n", "n"),
        (b"\x1b[H", keys.ESC),  # what a terminal sends for Home ends in an H
        (b"\x1bOR", keys.ESC),
        (b"\x1b", keys.ESC),
        (b"for each entry", ""),  # pasted, or typed while watch was busy
        (b"x" * 64 + b"q", ""),
        (b"ab\x03", keys.INTERRUPT),
        (b"", keys.END),
    ],
)
def test_keys_are_read_one_at_a_time(monkeypatch: pytest.MonkeyPatch, sent: bytes, keys_read: str) -> None:
    monkeypatch.setattr(os, "read", lambda descriptor, size: sent[:size])
    assert keys.Keys().read() == keys_read


def test_yes_that_comes_with_the_question_was_not_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The r and the y of a word that is typed into the wrong window."""
    watching = watch.Watch.__new__(watch.Watch)
    watching.asked = 100.0
    monkeypatch.setattr(watch.time, "monotonic", lambda: 100.0 + watch.PAUSE / 2)
    assert not watching._take(events.Pressed("y"))  # would fail: there is no file to reset
    assert watching.asked is None
