"""`chatd config check --deep` as a command: a line for each check, and an exit code."""

from tests.app.daemon import House


async def test_each_check_has_a_line_and_nothing_is_left_behind(house: House) -> None:
    done = await house.run("config", "check", "--deep")
    assert done.code == 0, done.out
    lines = [line.split(": ", 2) for line in done.out.splitlines()[1:]]
    names = ["state.owner", "state.disk", "state.space", "state.writing", "clock"]
    assert [name for name, *_ in lines] == names
    assert {verdict for _, verdict, _ in lines} <= {"fine", "doubtful"}
    assert not house.state_dir.exists()


async def test_what_is_wrong_decides_the_exit_code(house: House) -> None:
    (house.path / "file").write_text("")
    done = await house.run("config", "check", "--deep", "--state-dir", "file/below")
    assert done.code == 78
    assert f"state.owner: wrong: {house.path}/file is a file, not a folder; set state.dir" in (
        done.out
    )
    # Before anything is asked, the configuration has to be right.
    house.config("[server]\nport = -1\n")
    done = await house.run("config", "check", "--deep")
    assert (done.code, done.out) == (78, "")
