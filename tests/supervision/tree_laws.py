"""What must be true of every log of a simulated tree, on every level and between the levels."""

from __future__ import annotations

from collections import defaultdict

from aion_trio.supervision import AutoShutdown, Exit, GaveUp, Restart, StartFailed

from .laws import SLACK, applies, lineage
from .tree_world import ROOT, Line, Spot, TreeWorld, holds_interrupt
from .world import CLEANUP, TICK, WINDOW, Boom

STARTS = {"starting", "running", "stopping"}


def check(world: TreeWorld) -> None:
    """Hold ``world`` against every law."""
    for law in LAWS:
        law(world)


def above(path: str) -> str:
    return path.rpartition("/")[0]


def below(path: str, other: str) -> bool:
    return other.startswith(path + "/")


def nothing_outlives_its_block(world: TreeWorld) -> None:
    alive: set[str] = {ROOT}
    for line in world.log:
        if line.what == "begins":
            assert line.who not in alive, f"two runs of {line.who} at once"
            assert above(line.who) in alive, f"{line.who} began without {above(line.who)}"
            alive.add(line.who)
        elif line.what in {"ends", "left"}:
            alive.discard(line.who)
            left = {each for each in alive if below(line.who, each)}
            assert not left, f"{left} outlived {line.who}"


def each_level_starts_one_after_the_other(world: TreeWorld) -> None:
    """And who leads a level is up when all on it have been."""
    starting: dict[str, str] = {}
    up: dict[str, list[str]] = defaultdict(list)
    for line in world.log:
        level = above(line.who)
        if line.what == "begins":
            spot = world.spots.get(line.who)
            up[line.who] = []
            if spot is None:
                continue  # a keyed actor
            assert level not in starting, f"{line.who} began before {starting.get(level)} had started"
            starting[level] = line.who
            elders = [each.path for each in world.spots[level].children if each.path < line.who]
            assert set(elders) <= set(up[level]), f"{line.who} began before its elders"
        elif line.what in {"is up", "ends"} and starting.get(level) == line.who:
            del starting[level]
        if line.what == "is up":
            up[level].append(line.who)
            missing = {each.path for each in world.spots[line.who].children} - set(up[line.who])
            assert not missing, f"{line.who} was up before {missing}"


def each_level_stops_in_reverse_order(world: TreeWorld) -> None:
    """Whoever is stopped finds the younger ones gone, with all that was below them."""
    alive: set[str] = set()
    ordered: set[str] = set()
    for line in world.log:
        if line.what == "begins":
            alive.add(line.who)
        elif line.what == "ends":
            alive.discard(line.who)
        elif line.what == "orders":
            ordered.add(line.who)
        elif line.what == "is cancelled" and line.who in world.spots and line.who not in ordered:
            younger = [each.path for each in world.spots[above(line.who)].children if each.path > line.who]
            late = {each for each in alive for path in younger if each == path or below(path, each)}
            assert not late, f"{line.who} was stopped before {late}"


def the_body_is_left_first(world: TreeWorld) -> None:
    """Where the block of an inner supervisor is cancelled, its children are still up when its body is left."""
    disturbed: set[str] = set()
    inside: set[str] = set()
    cancelled: set[str] = set()
    for line in world.log:
        level = above(line.who)
        if line.what == "begins":
            disturbed.discard(line.who)
        elif line.what in {"restarting", "orders", "raises"}:
            disturbed.add(level)
        elif line.what in {"gave up", "stops"}:
            disturbed.add(line.who)
        elif line.what == "end":
            disturbed.update(world.spots)
        elif line.what == "is up":
            inside.add(line.who)
        elif line.what == "cancels" and line.who in inside:
            cancelled.add(line.who)
        elif line.what in {"body left", "ends"}:
            cancelled.discard(line.who)
            inside.discard(line.who)
        elif line.what == "is cancelled" and level in cancelled and level not in disturbed:
            shared = any(above(each) in disturbed for each in _line_of(level)) or any(each in disturbed for each in _line_of(level))
            auto = world.spots[level].auto.value != "never"
            assert shared or auto, f"{line.who} was cancelled while the body of {level} was in its block"


def _line_of(path: str) -> list[str]:
    """The path itself and all above it."""
    parts = path.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def every_run_is_told_once_as_it_was(world: TreeWorld) -> None:
    begun: dict[str, Line] = {}
    story: dict[str, Line] = {}
    ready: dict[str, int] = defaultdict(int)
    up: dict[str, bool] = {}
    for line in world.log:
        if line.what == "begins":
            assert line.who not in begun, f"the end of {line.who} was not told"
            begun[line.who] = story[line.who] = line
            up[line.who] = line.who not in world.spots
            ready[line.who] = 0  # one that was stopped in the instant in which it was up was not said to be so
        elif line.what in {"raises", "returns", "is cancelled"}:
            story[line.who] = line
        elif line.what == "is up":
            ready[line.who] += 1
            up[line.who] = True
        elif line.what == "told up" and line.who in world.spots:
            ready[line.who] -= 1
            assert ready[line.who] == 0, f"{line.who} is said to be up {1 - ready[line.who]} times"
        elif line.what == "told exit":
            assert line.who in begun, f"an exit of {line.who} without a run"
            exit: Exit = line.detail
            assert line.who == exit.path and exit.ran_for == line.at - begun.pop(line.who).at
            last = story[line.who]
            if last.what == "raises":
                assert last.detail in list(lineage(exit.error)), f"{exit} is not how {line.who} ended: {last}"
            elif last.what == "returns" and not up[line.who]:
                being_stopped = exit.how in {"stopped", "returned"}
                assert being_stopped or isinstance(exit.error, StartFailed), (last, exit)
            elif last.what in {"returns", "is cancelled"}:
                assert exit.how == {"returns": "returned", "is cancelled": "stopped"}[last.what], (last, exit)
    assert not begun, f"the ends of {set(begun)} were not told"


def no_error_is_lost(world: TreeWorld) -> None:
    told = [error for line in world.log if line.what == "told exit" for error in lineage(line.detail.error)]
    told += lineage(world.outcome)
    for error in world.raised:
        assert any(error is each for each in told), f"{error!r} was lost"


def what_fails_late_goes_up(world: TreeWorld) -> None:
    """From the moment a supervisor stops for good, what its children raise is in what it raises itself."""
    stopping: dict[str, list[BaseException]] = {}
    gave_up: dict[str, tuple[Exception, ...]] = {}
    for line in [*world.log, Line(0.0, "told exit", ROOT, None)]:
        level = above(line.who)
        if line.what == "gave up":
            gave_up[line.who] = line.detail
            stopping.setdefault(line.who, [])
        elif line.what == "stops" or (line.what == "end" and line.detail in {"stop", "hurry"}):
            stopping.setdefault(line.who, [])
        elif line.what == "told exit":
            if line.who in world.spots and level in stopping and line.detail is not None and line.detail.error is not None:
                stopping[level] += _leaves(line.detail.error)  # Trio may build a group anew on the way
            raised = world.outcome if line.who == ROOT else line.detail.error
            out = list(lineage(raised))
            for error in stopping.pop(line.who, []):
                assert any(error is each for each in out), f"{error!r}, raised while {line.who} stopped, did not come out"
            _require_escalation(line.who, gave_up.pop(line.who, None), raised)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]


def _require_escalation(who: str, failures: tuple[Exception, ...] | None, raised: BaseException | None) -> None:
    """A spent budget, and nothing else, is a `GaveUp` with all that led to it, as a group, behind it."""
    mine = [each for each in lineage(raised) if isinstance(each, GaveUp) and str(each).startswith(f"{who}:")]
    if failures is None:
        # Those of earlier runs may still be the cause of something: a link that broke.
        assert raised is None or not any(each in mine for each in _leaves(raised)), f"{who} did not give up, and raised {raised!r}"
    else:
        told = set(map(id, failures))
        assert any(told <= set(map(id, each.failures)) for each in mine), f"{who} gave up, forgot {failures}, and raised {raised!r}"
        groups = [each.__cause__ for each in mine if each.failures]
        assert all(isinstance(each, ExceptionGroup) for each in groups), f"no group stands behind what {who} raised"


def what_escalates_is_plain(world: TreeWorld) -> None:
    """What `supervise` gives up with is no group, so that it can be caught by its type.

    Unless it is stopped from above meanwhile, and raises it beside the cancellation, or beside an interrupt, which goes up whole.
    """
    for path, spot in world.spots.items():
        if spot.kind == "team" and not spot.body and path != ROOT:
            begun: float | None = None
            for line in world.log:
                if line.what == "gave up" and line.who == path:
                    begun = line.at
                elif line.what == "told exit" and line.who == path and begun is not None:
                    plain = isinstance(line.detail.error, GaveUp | Boom)  # its own clean-up may fail on top
                    excused = holds_interrupt(line.detail.error) or _stirs_outside(world, path, begun, line.at)
                    assert plain or excused, f"{path} escalated {line.detail.error!r}"
                    begun = None


def _stirs_outside(world: TreeWorld, path: str, begun: float, ended: float) -> bool:
    acts = {"told exit", "body left", "end", "stops", "cancels", "orders", "gave up", "restarting", "raises"}
    meanwhile = [line for line in world.log if begun <= line.at <= ended and line.what in acts]
    others = any(line.who != path and not below(path, line.who) for line in meanwhile)
    return others or begun <= world.cut_at <= ended or any(line.what == "orders" for line in world.log)


def an_interrupt_goes_up_whole(world: TreeWorld) -> None:
    """Nobody is run again on its way, no level takes it for a failure, and it comes out."""
    fallen: dict[str, float] = {}
    interrupts = [error for error in world.raised if isinstance(error, KeyboardInterrupt)]
    out = list(lineage(world.outcome))
    for error in interrupts:
        assert any(error is each for each in out), f"{error!r} was masked"
    for line in world.log:
        if line.what == "told exit" and holds_interrupt(line.detail.error):
            assert line.detail.failure is None, f"{line.who} failed with {line.detail.error!r}"
            fallen[above(line.who)] = line.at
        elif line.what == "begins" or (line.what == "restarting" and line.who in world.spots):
            assert line.at <= fallen.get(above(line.who), line.at), f"{line.who} went on after an interrupt on its level"


def each_budget_is_exact(world: TreeWorld) -> None:
    """Of each run of each supervisor; a level below that gave up costs one restart like any other failure."""
    spent: dict[str, list[float]] = defaultdict(list)
    for line in world.log:
        if line.what == "begins":
            spent[line.who] = []
        level = line.who if line.what == "gave up" else above(line.who)
        if line.what in {"restarting", "gave up"} and level in world.spots and world.spots[level].kind == "team":
            window, budget = sum(line.at - WINDOW < at for at in spent[level]), world.spots[level].budget
            if line.what == "gave up":
                assert window == budget, f"{level} gave up after {window} restarts of {budget}"
            else:
                assert window < budget, f"restart {window + 1} of {budget} of {level}"
                spent[level].append(line.at)


def only_a_failure_that_policy_names_is_answered(world: TreeWorld) -> None:
    ended: dict[str, Exit] = {}
    for line in world.log:
        if line.what == "told exit":
            ended[line.who] = line.detail
        elif line.what == "restarting" and line.who in world.spots:
            assert applies(world.spots[line.who].restart, ended[line.who]), f"{line.who} was restarted after {ended[line.who]}"


def nobody_is_left_down(world: TreeWorld) -> None:
    """A failure is answered at once: by a restart, by giving up, or because its level, or one above, is being stopped."""
    owed: dict[str, Line] = {}
    for line in world.log:
        if line.what in {"begins", "restarting", "gave up", "ends", "order done", "stops", "cancels", "end", "body left", "left", "orders"}:
            for path in [each for each in owed if _answers(line, each)]:
                del owed[path]
        for path, exit in owed.items():
            assert line.at <= exit.at + _patience(world, path), f"{path} was left down after {exit.detail}"
        told = line.what == "told exit" and line.who in world.spots and applies(world.spots[line.who].restart, line.detail)
        if told and line.detail.failure is not None and line.detail.how == "raised":
            owed[line.who] = line


def _answers(line: Line, path: str) -> bool:
    if line.what in {"end", "orders", "cancels", "stops"}:
        return True  # its level may be under way to its end, or busy
    if line.what == "begins":
        return line.who == path
    return above(line.who) == above(path) or line.who == above(path) or below(line.who, path)


def _patience(world: TreeWorld, path: str) -> float:
    """How long its supervisor, or one above, may be busy stopping or starting others."""
    return sum(spot.shutdown + 8 * CLEANUP for spot in world.spots.values()) + 100 * TICK


def actors_concern_nobody_else(world: TreeWorld) -> None:
    """What a keyed actor raises never leaves its directory, but for interrupts."""
    theirs = [error for error in world.raised if isinstance(error, Boom) and error.args[0] != "body" and error.args[0] not in world.spots]
    for line in world.log:
        if line.what == "told exit" and line.who in world.spots and not holds_interrupt(line.detail.error):
            seen = _leaves(line.detail.error) if line.detail.error is not None else []
            escaped = [error for error in theirs if any(error is each for each in seen)]
            assert not escaped, f"{escaped} left the directory {line.who}"


def stopping_takes_bounded_time(world: TreeWorld) -> None:
    """A stop may drain level by level, within the time of the outermost; a cancellation may not drain at all."""
    begun: dict[str, float] = {}
    ends = {line.who: line for line in world.log if line.what == "end"}
    left = world.log[-1].at
    clean_up = {path: sum(CLEANUP + 2 * TICK for each in spot.walk()) + 8 * CLEANUP for path, spot in world.spots.items()}
    for line in world.log:
        if line.what == "cancels":
            begun.setdefault(line.who, line.at)
        elif line.what == "ends" and line.who in begun:
            took = line.at - begun.pop(line.who)
            assert took <= clean_up[line.who] + SLACK, f"{line.who} took {took} s to leave its cancelled block"
    if world.ending == "cancel" and world.end_at <= left:
        assert left - world.end_at <= clean_up[ROOT] + SLACK, f"the tree took {left - world.end_at} s to be cancelled"
    elif ROOT in ends and world.ending != "wait":
        drain = sum(each.shutdown for each in world.root.children) if world.ending in {"stop", "hurry"} else 0.0
        drain = min(drain, max(world.hurried_at - ends[ROOT].at, 0.0))
        took = left - ends[ROOT].at
        assert took <= drain + clean_up[ROOT] + SLACK, f"the tree took {took} s to stop, of {drain} + {clean_up[ROOT]}"


def a_level_that_is_over_is_left(world: TreeWorld) -> None:
    """The end for good of the only significant child, or of any where one is enough, ends the block it is in."""
    if any(line.what == "orders" for line in world.log):
        return
    due: dict[str, float] = {}
    alive: set[str] = set()
    falling: set[str] = set()  # levels of which some are being stopped to be run again
    for line in [*world.log, Line(world.log[-1].at, "ends", ROOT)]:
        spot, level = world.spots.get(line.who), world.spots.get(above(line.who))
        if line.what == "begins":
            alive.add(line.who)
            falling.discard(above(line.who))
        elif line.what == "restarting":
            falling.add(above(line.who))
        elif line.what == "told exit" and spot is not None and level is not None:
            taken_along = level.path in falling and not any(each.path > line.who and each.path in alive for each in level.children)
            for_good = line.detail.how != "stopped" and not applies(spot.restart, line.detail) and not taken_along
            if for_good and _decides(level, spot) and spot.restart is Restart.TEMPORARY:
                busy = sum(each.shutdown for each in level.children) + sum(2 * CLEANUP + 2 * TICK for _ in level.walk())
                due.setdefault(level.path, line.at + busy)
        elif line.what == "ends":
            alive.discard(line.who)
            late = line.at - due.pop(line.who, line.at)
            assert late <= SLACK, f"{line.who} was over and was left {late} s too late"


def _decides(level: Spot, child: Spot) -> bool:
    enough = AutoShutdown.ANY_SIGNIFICANT if sum(each.significant for each in level.children) > 1 else level.auto
    return child.significant and level.auto is enough


def a_stop_drains_on_every_level(world: TreeWorld) -> None:
    """Who has a mailbox and is stopped in good order is cancelled when its time, or that of one above it, is over."""
    end = next((at for at, line in enumerate(world.log) if line.what == "end" and line.detail == "stop"), None)
    if end is None:
        return
    stop = world.log[end].at
    recent = [line for line in world.log if line.at >= stop - WINDOW]
    if any(line.what in {"orders", "cancels", "stops"} for line in world.log) or any(map(holds_interrupt, world.raised)):
        return
    gone = dict.fromkeys(world.spots, stop)  # since when nobody younger keeps it from being stopped
    for line in world.log[end:]:
        spot = world.spots.get(line.who)
        if line.what == "ends" and spot is not None:
            gone.update({each.path: line.at for each in world.spots[spot.parent].children if each.path < line.who})
        elif line.what == "is cancelled" and spot is not None and spot.kind == "server":
            chain = _line_of(line.who)[1:]
            early = all(line.at < gone[path] + world.spots[path].shutdown for path in chain)
            turn = max(gone[path] for path in chain)
            skipped = not line.detail and all(turn < gone[path] + world.spots[path].shutdown for path in chain)
            assert not (early or skipped) or not _are_up(world.log[:end], chain) or _falls(world, chain, recent), (
                f"{line.who} was cancelled before its time, or undrained"
            )


def _are_up(log: list[Line], chain: list[str]) -> bool:
    """All of ``chain`` had started; who has not is not given time."""
    newest = {line.who: line.what for line in log if line.what in {"begins", "is up"}}
    return all(newest.get(path) == "is up" for path in chain)


def _falls(world: TreeWorld, chain: list[str], recent: list[Line]) -> bool:
    """Somebody of ``chain`` may be cancelled for another reason than the stop."""
    if any(world.spots[path].auto.value != "never" for path in chain) or _had_begun(world):
        return True
    if any(line.what == "gave up" and line.who in {ROOT, *chain} for line in world.log):
        return True
    return any(
        (line.what == "raises" and line.who in chain) or (line.what == "restarting" and {above(line.who), line.who} & {ROOT, *chain})
        for line in recent
    )


def _had_begun(world: TreeWorld) -> bool:
    """The outermost level may have been stopping of itself when it was told to stop."""
    root = world.spots[ROOT]
    over = {line.who for line in world.log if line.what == "told exit"}
    return root.auto is not AutoShutdown.NEVER and any(each.significant and each.path in over for each in root.children)


def every_message_has_one_end(world: TreeWorld) -> None:
    ends: dict[int, list[str]] = defaultdict(list)
    for line in world.log:
        if line.what in {"receives", "dead"} and line.detail:
            ends[line.detail].append(line.what)
    for line in world.log:
        if line.what == "sends":
            assert len(ends[line.detail]) == 1, f"message {line.detail} to {line.who} ended {ends[line.detail]}"


def a_survey_shows_the_tree(world: TreeWorld) -> None:
    for line in world.log:
        if line.what == "survey":
            states, alive = line.detail
            paths = [path for path, _, _ in states]
            assert len(paths) == len(set(paths)), f"somebody is shown twice: {sorted(paths)}"
            missing = alive - set(paths)
            assert not missing, f"{missing} are alive and not shown"
            shown = {path for path, _, state in states if state in {"running", "stopping"} and path in world.spots}
            up = {path for path in shown if path != ROOT} - alive
            assert not up, f"{up} are shown and not alive"


def who_follows_hears_the_truth(world: TreeWorld) -> None:
    """`watch`, `Handle.exited` and `linked`, on any level, tell what the run itself came to, in the instant in which it did."""
    opened: dict[int, int] = {}
    broken: set[int] = set()
    for at, line in enumerate(world.log):
        if line.what in {"watches", "awaits", "is linked"}:
            opened[line.detail] = at
        elif line.what == "watched":
            _require_heard(world.log[opened[line.detail[0]] : at], line)
        elif line.what == "saw exit":
            _require_seen(world.log, opened[line.detail[0]], line)
        elif line.what == "unlinks":
            exits = _exits(world.log[opened[line.detail] : at], line.who)
            assert not exits or exits[0].at == line.at, f"a link to {line.who} outlived {exits[0]}"
        elif line.what == "link broken" and line.detail[0] in opened:
            broken.add(line.detail[0])
            exits = _exits(world.log[opened[line.detail[0]] : at], line.who)
            assert exits and exits[0] is line.detail[1] and exits[0].at == line.at, f"a link to {line.who} broke with {line.detail}"


def _exits(log: list[Line], who: str) -> list[Exit]:
    return [line.detail for line in log if line.what == "told exit" and line.who == who]


def _require_heard(log: list[Line], line: Line) -> None:
    """All exits until nobody listens any more, or until there is nobody to listen to: its supervisor has ended."""
    _, heard, ended = line.detail
    over = next((at for at, each in enumerate(log) if each.what == "ends" and each.who == above(line.who)), len(log))
    told = _exits(log[:over], line.who)
    missed = told[len(heard) :]
    assert told[: len(heard)] == heard, f"a watcher of {line.who} heard {heard} of {told}"
    assert not missed or (not ended and missed[0].at == line.at), f"a watcher of {line.who} missed {missed}"
    assert ended or over == len(log) or log[over].at == line.at, f"a watcher of {line.who} waited on when its supervisor had ended"


def _require_seen(log: list[Line], opened: int, line: Line) -> None:
    _, seen, up = line.detail
    at = next(index for index in range(opened, len(log)) if log[index] is line)
    later = _exits(log[opened:at], line.who)
    if up:
        assert later and later[0] is seen and seen.at == line.at, f"the end of {line.who} was said to be {seen}, was {later}"
    elif seen not in later:
        assert seen is _exits(log[:opened], line.who)[-1], f"the last end of {line.who} was not {seen}"


LAWS = [
    nothing_outlives_its_block,
    each_level_starts_one_after_the_other,
    each_level_stops_in_reverse_order,
    the_body_is_left_first,
    every_run_is_told_once_as_it_was,
    no_error_is_lost,
    what_fails_late_goes_up,
    what_escalates_is_plain,
    an_interrupt_goes_up_whole,
    each_budget_is_exact,
    only_a_failure_that_policy_names_is_answered,
    nobody_is_left_down,
    actors_concern_nobody_else,
    stopping_takes_bounded_time,
    a_level_that_is_over_is_left,
    a_stop_drains_on_every_level,
    every_message_has_one_end,
    a_survey_shows_the_tree,
    who_follows_hears_the_truth,
]
