"""What goes out and what comes back: which version, from which commit, what is stopped and what people are told, whatever wakes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from infra.model.start_deployment.plan import Plan, plan
from infra.model.start_deployment.state import Run, State, Version, Wake

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
GROUP = "arn:aws:sagemaker:us-east-1:111122223333:model-package/shop--abalone"
CLOCK = Wake()


def day(number: int) -> datetime:
    return MONDAY + timedelta(days=number)


def arn(number: int) -> str:
    return f"{GROUP}/{number}"


def run(number: int, status: str, started: float, ended: float = 0, commit: str = "first", leaving: int = 0, rebuilt: str = "never") -> Run:
    """Of a version, from one day to another; `leaving`: of a return."""
    given = {"ModelPackageArn": arn(number), "Rebuilt": rebuilt, **({"Leaving": arn(leaving)} if leaving else {})}
    begun, over = MONDAY + timedelta(days=started), MONDAY + timedelta(days=ended or started + 0.1)
    return Run(f"{number}-{status}-{started}", status, begun, over, commit, lambda: given)


@dataclass(frozen=True)
class World:
    """A model: `live` is what production has, `approval` of each version by its number. Newer executions stand first."""

    live: int | None
    approval: dict[int, str]
    deploys: Sequence[Run] = ()
    returns: Sequence[Run] = ()
    entered: str = ""
    built: Sequence[str] = ("first",)
    changed: dict[str, list[str]] = field(default_factory=dict)
    made_by: str = "first"
    created: int = 0
    asked: str = ""
    rebuilt: str = ""

    def decide(self, wake: Wake = CLOCK) -> Plan:
        versions = {arn(number): Version(arn(number), day(self.created), said, self.made_by) for number, said in self.approval.items()}
        approved = [version for version in reversed(list(versions.values())) if version.approval == "Approved"]
        live = versions[arn(self.live)] if self.live else None
        state = State(
            model="abalone",
            production=live,
            approved=approved,
            deploys=self.deploys,
            returns=self.returns,
            entered=self.entered,
            asked=lambda run: run.identifier == self.asked,
            built=self.built,
            find=versions.get,
            changed=lambda commit: self.changed.get(commit, []),
            production_stack="live",
            rebuilt=self.rebuilt,
        )
        return plan(state, wake)


def started(decision: Plan) -> tuple[int | None, int | None]:
    """Versions that go out and come back."""
    return (decision.forth.version.number if decision.forth else None), (decision.back.version.number if decision.back else None)


BOTH_SERVED = World(
    live=2, approval={1: "Approved", 2: "Approved"}, deploys=[run(2, "Succeeded", 4), run(1, "Succeeded", 2)], made_by="first"
)
THREE_SERVED = World(
    live=3,
    approval={1: "Approved", 2: "Approved", 3: "Approved"},
    deploys=[run(3, "Succeeded", 6), run(2, "Succeeded", 4), run(1, "Succeeded", 2)],
)


# ------------------------------------------------------------------------------------------------------ the way back


def rejected(world: World, number: int) -> World:
    return replace(world, approval={**world.approval, number: "Rejected"})


@pytest.mark.parametrize("wake", [Wake(rejected=arn(2)), CLOCK, Wake(by_hand=True)], ids=["its event", "the clock", "by hand"])
def test_a_rejected_live_version_is_left_whoever_wakes_it(wake: Wake) -> None:
    decision = rejected(BOTH_SERVED, 2).decide(wake)
    assert started(decision) == (None, 1)
    assert decision.back is not None
    assert (decision.back.commit, decision.back.leaving) == ("first", arn(2))
    assert decision.told == ["abalone: version 2 is Rejected and serves production; production returns to version 1"]


def test_it_returns_with_the_commit_that_production_runs() -> None:
    world = rejected(replace(BOTH_SERVED, deploys=[run(2, "Succeeded", 4, commit="scaled"), run(1, "Succeeded", 2)]), 2)
    decision = replace(world, built=["pushed-later", "scaled", "first"]).decide()
    assert decision.back is not None
    assert decision.back.commit == "scaled"


@pytest.mark.parametrize("outcome", ["Failed", "Superseded", "Stopped"])
def test_what_never_served_is_not_returned_to(outcome: str) -> None:
    """Version 2 was declined, overtaken or stopped: what served before version 3 is version 1."""
    world = replace(THREE_SERVED, deploys=[run(3, "Succeeded", 6), run(2, outcome, 4), run(1, "Succeeded", 2)])
    assert started(rejected(world, 3).decide()) == (None, 1)


def test_what_was_rejected_or_deleted_is_not_returned_to() -> None:
    assert started(rejected(rejected(THREE_SERVED, 3), 2).decide()) == (None, 1)
    gone = replace(THREE_SERVED, approval={1: "Approved", 2: "deleted", 3: "Rejected"})
    assert started(gone.decide()) == (None, 1)


def test_what_served_last_is_what_was_let_in_last_and_not_what_began_last() -> None:
    """The return to version 1 passed version 3, which waited in its review and was let in after it."""
    world = World(
        live=3,
        approval={1: "Approved", 2: "Rejected", 3: "Rejected"},
        deploys=[run(3, "Succeeded", 5, ended=9), run(2, "Succeeded", 4), run(1, "Succeeded", 2)],
        returns=[run(1, "Succeeded", 6, leaving=2)],
    )
    decision = world.decide()
    assert started(decision) == (None, 1)
    assert decision.back is not None
    assert decision.back.leaving == arn(3)


def test_another_version_that_had_the_same_name_is_not_the_one_that_served() -> None:
    """The group was deleted and made again: version 1 is another model."""
    decision = replace(rejected(BOTH_SERVED, 2), created=3).decide()
    assert started(decision)[1] is None
    assert "no other version that has served it is approved" in decision.told[0]


def test_with_nothing_to_return_to_it_serves_on_and_people_are_told_what_helps() -> None:
    world = World(live=1, approval={1: "Rejected"}, deploys=[run(1, "Succeeded", 2)])
    decision = world.decide(Wake(rejected=arn(1)))
    assert started(decision) == (None, None)
    (line,) = decision.told
    assert "version 1 is Rejected and serves production" in line
    assert "Approve a newer version" in line


def test_with_nothing_to_return_to_and_a_version_in_its_review_or_experiment_people_are_told_that_a_yes_to_it_helps() -> None:
    """Also where its answer ends an experiment beside the version that was rejected."""
    world = World(live=1, approval={1: "Rejected", 2: "Approved"}, deploys=[run(2, "InProgress", 3), run(1, "Succeeded", 2)])
    (line,) = replace(world, asked=world.deploys[0].identifier).decide(Wake(rejected=arn(1))).told
    assert "A yes to the review of version 2, which is on its way, deploys that one all at once" in line
    assert "Approve a newer version" not in line


def test_a_review_does_not_hold_the_way_back() -> None:
    world = rejected(replace(BOTH_SERVED, deploys=[run(3, "InProgress", 5), *BOTH_SERVED.deploys]), 2)
    decision = replace(world, approval={**world.approval, 3: "Approved"}).decide()
    assert started(decision) == (None, 1)
    assert decision.stops == [], "version 3 waits on for its own decision"


@pytest.mark.parametrize("way", ["a deployment in production", "a return"])
def test_what_is_changing_production_is_waited_for(way: str) -> None:
    on = run(3, "InProgress", 5)
    world = rejected(replace(BOTH_SERVED, approval={**BOTH_SERVED.approval, 3: "Approved"}, deploys=[on, *BOTH_SERVED.deploys]), 2)
    if way == "a return":
        world = replace(world, deploys=BOTH_SERVED.deploys, returns=[run(1, "InProgress", 5, leaving=2)])
    else:
        world = replace(world, entered=on.identifier)
    decision = world.decide()
    assert decision.back is None
    assert any("whose end wakes this again" in reason for reason in decision.reasons)


def test_a_version_whose_verification_failed_in_production_is_left() -> None:
    world = World(live=2, approval={1: "Approved", 2: "Approved"}, deploys=[run(2, "Failed", 4), run(1, "Succeeded", 2)])
    decision = world.decide()
    assert started(decision) == (None, 1)
    assert "version 2 serves production, and its verification did not succeed" in decision.told[0]


def test_while_it_is_verified_it_is_not_left() -> None:
    verifying = run(2, "InProgress", 4)
    world = World(live=2, approval={1: "Approved", 2: "Approved"}, deploys=[verifying, run(1, "Succeeded", 2)])
    assert replace(world, entered=verifying.identifier).decide().back is None
    assert world.decide().back is None, "its stage has ended, and CodePipeline says so of the execution a moment later"


def test_a_first_version_that_failed_its_verification_serves_on_and_people_are_told() -> None:
    decision = World(live=1, approval={1: "Approved"}, deploys=[run(1, "Failed", 2)]).decide()
    assert started(decision) == (None, None)
    assert "version 1 serves production, and no deployment of it has ended well" in decision.told[0]


@pytest.mark.parametrize("outcome", ["Failed", "Stopped"])
def test_a_deployment_that_broke_off_between_its_two_updates_gives_production_its_scaling_back(outcome: str) -> None:
    """Its first update has taken it away, and the version is still the last release's."""
    broken = run(3, outcome, 6, commit="other-type")
    world = replace(BOTH_SERVED, approval={**BOTH_SERVED.approval, 3: "Approved"}, deploys=[broken, *BOTH_SERVED.deploys])
    decision = replace(world, changed={"first": ["live"]}).decide()
    assert decision.back is not None
    assert (decision.back.version.number, decision.back.commit, decision.back.leaving) == (2, "first", arn(2))
    assert decision.told == [
        "abalone: version 2 serves production with what the deployment of version 3 left, which broke off; production returns to version 2"
    ]
    assert started(world.decide()) == (None, None), "it has left the template as it was"
    back = run(2, "Succeeded", 7, leaving=2)
    assert started(replace(world, changed={"first": ["live"]}, returns=[back]).decide()) == (None, None), "and once it is back"
    assert replace(world, changed={"first": ["live"]}, returns=[run(2, "Failed", 7, leaving=2)]).decide().back is None, "not for ever"


def test_settings_that_failed_in_production_are_left_for_those_of_the_last_release() -> None:
    """The version is the same, so nothing but the template tells them apart."""
    failed = run(2, "Failed", 6, commit="scaled")
    world = replace(BOTH_SERVED, deploys=[failed, *BOTH_SERVED.deploys], built=["scaled", "first"], changed={"first": ["live"]})
    decision = world.decide()
    assert started(decision) == (None, 2)
    assert decision.back is not None
    assert (decision.back.commit, decision.back.leaving) == ("first", arn(2))
    declined = replace(world, changed={"first": ["staging"]})
    assert declined.decide().back is None, "they never came to production"


def failed_return(world: World, target: int, leaving: int) -> World:
    return replace(world, returns=[run(target, "Failed", 8, leaving=leaving)])


def test_a_return_that_failed_is_told_and_not_repeated_by_itself() -> None:
    world = failed_return(rejected(BOTH_SERVED, 2), 1, 2)
    decision = world.decide()
    assert started(decision) == (None, None)
    assert "a return failed" in decision.told[0]
    assert "python -m deploy_scripts.roll_back --model abalone" in decision.told[0]


@pytest.mark.parametrize("wake", [Wake(by_hand=True), Wake(rejected=arn(2))], ids=["by hand", "rejected again"])
def test_a_person_repeats_it(wake: Wake) -> None:
    assert started(failed_return(rejected(BOTH_SERVED, 2), 1, 2).decide(wake)) == (None, 1)


def test_a_return_that_a_person_stopped_does_not_begin_again_by_itself() -> None:
    """Its end wakes this, too."""
    world = replace(rejected(BOTH_SERVED, 2), returns=[run(1, "Stopped", 8, leaving=2)])
    decision = world.decide()
    assert started(decision) == (None, None)
    assert "a return was stopped, which is not tried again by itself" in decision.told[0]
    assert started(world.decide(Wake(approved=arn(1)))) == (None, 1), "whoever approves version 1 anew wants it back"


def test_what_a_failed_return_has_left_live_is_left_once_a_person_rejects_it_also_if_that_event_is_lost() -> None:
    """Version 2 was returned to and not verified; then it was rejected, for which version 1 goes back."""
    world = failed_return(replace(rejected(rejected(THREE_SERVED, 3), 2), live=2), 2, 3)
    assert started(world.decide(CLOCK)) == (None, 1)


def test_where_a_return_left_its_own_version_unverified_nobody_is_told_to_try_it_again_by_leaving_it() -> None:
    (line,) = failed_return(replace(rejected(THREE_SERVED, 3), live=2), 2, 3).decide().told
    assert "tries again" not in line
    assert "`python -m deploy_scripts.roll_back --model abalone` leaves version 2 for one before it" in line


def test_a_year_of_releases_is_not_asked_about_one_by_one_before_a_return() -> None:
    """Each question is a call, and the function has a minute."""
    asked: list[int] = []

    def release(number: int) -> Run:
        def variables() -> dict[str, str]:
            asked.append(number)
            return {"ModelPackageArn": arn(number)}

        return Run(str(number), "Succeeded", day(number), day(number), "first", variables)

    deploys = [release(number) for number in range(300, 0, -1)]
    versions = {arn(number): Version(arn(number), day(number) - timedelta(hours=1)) for number in range(1, 300)}
    versions[arn(300)] = Version(arn(300), day(299), "Rejected")
    newest = [versions[arn(number)] for number in range(299, 0, -1)]
    state = State("abalone", versions[arn(300)], newest, deploys, [], "", lambda run: False, ["first"], versions.get, lambda commit: [])
    assert started(plan(state, CLOCK)) == (None, 299)
    assert len(asked) < 10


def test_a_return_that_failed_after_it_was_deployed_is_not_followed_by_another() -> None:
    """Or one fault of the verification would take production through all that ever served."""
    world = failed_return(replace(rejected(THREE_SERVED, 3), live=2), 2, 3)
    decision = world.decide()
    assert started(decision) == (None, None)
    assert "a return failed" in decision.told[0]


def test_what_failed_before_the_last_release_says_nothing_about_now() -> None:
    world = replace(rejected(BOTH_SERVED, 2), returns=[run(1, "Failed", 3, leaving=2)])
    assert started(world.decide()) == (None, 1)


@pytest.mark.parametrize("approval", ["Rejected", "deleted", "PendingManualApproval"])
def test_a_person_asks_for_an_older_version_instead_of_one_that_is_approved_no_more(approval: str) -> None:
    """A version that was deleted cannot be rejected any more."""
    world = replace(THREE_SERVED, approval={1: "Approved", 2: "Approved", 3: approval})
    assert started(world.decide(Wake(by_hand=True, requested=arn(1)))) == (None, 1)


def test_a_deleted_version_serves_on_by_itself() -> None:
    assert started(replace(BOTH_SERVED, approval={1: "Approved", 2: "deleted"}).decide()) == (None, None)


# ----------------------------------------------------------------------------------------------------- the way forth


def test_a_new_version_goes_out_with_the_commit_that_made_it() -> None:
    decision = World(live=None, approval={1: "Approved"}, built=["pushed-later", "made-it", "first"], made_by="made-it").decide()
    assert started(decision) == (1, None)
    assert decision.forth is not None
    assert (decision.forth.commit, decision.forth.leaving) == ("made-it", "")


def test_a_newer_commit_of_production_is_not_taken_back_by_a_version_that_an_older_one_made() -> None:
    released = [run(1, "Succeeded", 2, commit="scaled")]
    world = World(live=1, approval={1: "Approved", 2: "Approved"}, deploys=released, built=["pushed-later", "scaled", "made-it"])
    decision = replace(world, made_by="made-it").decide()
    assert decision.forth is not None
    assert decision.forth.commit == "scaled"


@pytest.mark.parametrize("claimed", ["never-built", "unknown", ""])
def test_a_commit_that_was_never_built_deploys_nothing(claimed: str) -> None:
    """The metadata of a version says what pushed code wrote there."""
    known = World(live=None, approval={1: "Approved"}, built=["newest", "first"], made_by=claimed).decide()
    assert known.forth is not None
    assert known.forth.commit == "newest"
    assert World(live=None, approval={1: "Approved"}, built=[], made_by=claimed).decide().forth is None


def test_without_an_approved_version_nothing_is_deployed() -> None:
    assert started(World(live=None, approval={1: "PendingManualApproval"}).decide()) == (None, None)


APPROVED_3 = replace(BOTH_SERVED, approval={**BOTH_SERVED.approval, 3: "Approved"})


@pytest.mark.parametrize("wake", [Wake(approved=arn(3)), CLOCK], ids=["its event", "the clock"])
def test_an_approved_version_goes_out_also_if_its_event_was_lost(wake: Wake) -> None:
    assert started(APPROVED_3.decide(wake)) == (3, None)


@pytest.mark.parametrize("outcome", ["Failed", "Superseded", "Stopped"])
def test_a_version_that_was_declined_overtaken_stopped_or_failed_is_no_candidate_until_a_person_names_it(outcome: str) -> None:
    tried = replace(APPROVED_3, deploys=[run(3, outcome, 5), *BOTH_SERVED.deploys])
    assert started(tried.decide()) == (None, None)
    assert started(tried.decide(Wake(rejected=arn(1)))) == (None, None)
    for wake in (Wake(approved=arn(3)), Wake(by_hand=True, requested=arn(3)), Wake(by_hand=True)):
        assert started(tried.decide(wake)) == (3, None)


def test_what_an_update_of_its_pipeline_has_cancelled_goes_out_anew() -> None:
    """CodePipeline ends what is under way when a pipeline is updated: nobody has decided about it."""
    assert started(replace(APPROVED_3, deploys=[run(3, "Cancelled", 5), *BOTH_SERVED.deploys]).decide()) == (3, None)
    declined = replace(APPROVED_3, deploys=[run(3, "Cancelled", 6), run(3, "Failed", 5), *BOTH_SERVED.deploys])
    assert started(declined.decide()) == (None, None)


def test_settings_whose_deployment_was_cancelled_go_out_anew() -> None:
    world = replace(SCALED, deploys=[run(2, "Cancelled", 6, commit="scaled"), *BOTH_SERVED.deploys])
    assert started(world.decide()) == (2, None)


def test_a_return_that_was_cancelled_is_tried_again_by_itself() -> None:
    left = rejected(THREE_SERVED, 3)
    assert started(replace(left, returns=[run(2, "Cancelled", 8, leaving=3)]).decide()) == (None, 2)
    assert started(replace(left, returns=[run(2, "Stopped", 8, leaving=3)]).decide()) == (None, None)


def test_a_version_that_served_and_was_returned_from_does_not_go_out_again_because_it_is_the_newest_approved() -> None:
    world = replace(THREE_SERVED, live=2, returns=[run(2, "Succeeded", 8, leaving=3)])
    assert started(world.decide()) == (None, None)
    assert started(world.decide(Wake(approved=arn(3)))) == (3, None)


def test_a_version_on_its_way_is_not_started_twice() -> None:
    world = replace(APPROVED_3, deploys=[run(3, "InProgress", 5, commit=""), *BOTH_SERVED.deploys])
    decision = world.decide(Wake(approved=arn(3)))
    assert started(decision) == (None, None)
    assert "version 3 is already on its way" in decision.reasons


def test_an_older_version_is_not_deployed_over_a_newer_one_that_is_approved_and_the_way_back_is_offered() -> None:
    decision = BOTH_SERVED.decide(Wake(approved=arn(1)))
    assert started(decision) == (None, None)
    (line,) = decision.told
    assert "version 2 is newer than version 1 and approved" in line
    assert "to go back: `python -m deploy_scripts.roll_back --model abalone --to-version 1`" in line


def test_a_version_that_never_served_is_no_way_back() -> None:
    world = replace(BOTH_SERVED, live=2, deploys=[run(2, "Succeeded", 4), run(1, "Failed", 2)])
    (line,) = world.decide(Wake(approved=arn(1))).told
    assert "roll_back" not in line
    assert "reject it" in line


def test_an_older_version_is_not_started_while_a_newer_one_is_in_review() -> None:
    world = replace(APPROVED_3, approval={**APPROVED_3.approval, 4: "Approved"}, deploys=[run(4, "InProgress", 5), *BOTH_SERVED.deploys])
    decision = world.decide(Wake(approved=arn(3)))
    assert started(decision) == (None, None)
    assert "version 4 is newer than version 3 and approved" in decision.told[0]


def test_what_is_not_approved_or_of_another_model_is_not_deployed_by_hand() -> None:
    for wanted, said in ((arn(9), "is no version of this model"), (arn(2), "is Rejected")):
        decision = rejected(BOTH_SERVED, 2).decide(Wake(by_hand=True, requested=wanted))
        assert decision.forth is None
        assert any(said in reason for reason in decision.reasons)


def test_what_cannot_be_deployed_by_hand_is_one_line_and_changes_nothing() -> None:
    """Also not a return that failed, which `{}` tries again."""
    world = failed_return(rejected(BOTH_SERVED, 2), 1, 2)
    assert world.decide(Wake(by_hand=True)).back is not None
    decision = world.decide(Wake(by_hand=True, requested=arn(2)))
    assert (started(decision), decision.stops, decision.told) == ((None, None), (), None)
    assert decision.reasons == [f"{arn(2)} is Rejected; allowed: the ARN of an approved version of abalone"]


def test_a_person_gets_the_version_that_they_ask_for() -> None:
    world = replace(APPROVED_3, approval={**APPROVED_3.approval, 4: "Approved"})
    assert started(world.decide(Wake(by_hand=True, requested=arn(3)))) == (3, None)
    assert started(world.decide(Wake(by_hand=True, requested=arn(2)))) == (2, None), "what production has, once more"


def test_a_fix_goes_out_where_nothing_can_be_returned_to() -> None:
    world = World(live=1, approval={1: "Rejected", 2: "Approved"}, deploys=[run(1, "Succeeded", 2)])
    decision = world.decide()
    assert started(decision) == (2, None)
    assert "it serves on" in decision.told[0]


# --------------------------------------------------------------------------------------------------------- settings

SCALED = replace(BOTH_SERVED, built=["scaled", "first"], changed={"scaled": ["live"]})


def test_a_push_that_changes_a_template_rolls_what_production_has_and_asks() -> None:
    decision = SCALED.decide()
    assert started(decision) == (2, None)
    assert decision.forth is not None
    assert decision.forth.commit == "scaled"
    assert decision.reasons == ["version 2 goes out with a changed live"]


def test_settings_that_nobody_was_asked_about_go_out_later() -> None:
    """A newer version took their place in the queue behind a review, and was declined then."""
    world = replace(SCALED, approval={**SCALED.approval, 3: "Approved"})
    world = replace(world, deploys=[run(3, "Failed", 7), run(2, "Superseded", 6, commit="scaled"), *BOTH_SERVED.deploys])
    assert started(world.decide()) == (2, None)


def test_equal_templates_deploy_nothing() -> None:
    assert started(replace(SCALED, changed={}).decide()) == (None, None)


def test_what_production_already_runs_is_not_deployed_again() -> None:
    """Otherwise a deployment that ends would start the next one."""
    world = replace(SCALED, deploys=[run(2, "Succeeded", 4, commit="scaled")])
    assert started(world.decide()) == (None, None)


@pytest.mark.parametrize("commit", ["scaled", ""])
def test_settings_that_wait_for_their_approval_are_not_deployed_a_second_time(commit: str) -> None:
    """Also where the other deployment has only begun, and has no commit yet."""
    assert started(replace(SCALED, deploys=[run(2, "InProgress", 6, commit=commit), *BOTH_SERVED.deploys]).decide()) == (None, None)


def test_settings_that_were_declined_ask_once() -> None:
    """The end of their own deployment wakes this, too."""
    world = replace(SCALED, deploys=[run(2, "Failed", 6, commit="scaled"), *BOTH_SERVED.deploys])
    assert started(world.decide()) == (None, None)
    assert started(world.decide(Wake(by_hand=True))) == (2, None)


def test_settings_go_out_with_what_production_has_and_not_with_a_newer_version_that_was_declined() -> None:
    declined = run(3, "Failed", 5)
    world = replace(SCALED, approval={**SCALED.approval, 3: "Approved"}, deploys=[declined, *BOTH_SERVED.deploys])
    assert started(world.decide()) == (2, None)


# ---------------------------------------------------------------------------------------------------- what is closed


@pytest.mark.parametrize("approval", ["Rejected", "deleted", "PendingManualApproval"])
def test_the_review_of_a_version_that_is_approved_no_more_is_closed(approval: str) -> None:
    review = run(3, "InProgress", 5)
    world = replace(APPROVED_3, approval={**APPROVED_3.approval, 3: approval}, deploys=[review, *BOTH_SERVED.deploys])
    (stop,) = world.decide().stops
    assert (stop.run, stop.of_return) == (review, False)
    assert stop.reason == f"version 3 is {approval}: its deployment is stopped"


def test_one_that_queues_behind_a_review_is_closed_as_well() -> None:
    deploys = [run(4, "InProgress", 6), run(3, "InProgress", 5), *BOTH_SERVED.deploys]
    world = replace(APPROVED_3, approval={**APPROVED_3.approval, 4: "Rejected"}, deploys=deploys)
    assert [stop.run.package for stop in world.decide().stops] == [arn(4)]


def test_what_is_being_deployed_to_production_goes_on_until_its_end() -> None:
    deploying = run(3, "InProgress", 5)
    world = replace(rejected(APPROVED_3, 3), deploys=[deploying, *BOTH_SERVED.deploys], entered=deploying.identifier)
    assert world.decide().stops == []


def test_a_return_to_a_version_that_was_rejected_meanwhile_gives_way_to_the_one_before() -> None:
    world = replace(rejected(rejected(THREE_SERVED, 3), 2), returns=[run(2, "InProgress", 8, leaving=3)])
    decision = world.decide(Wake(rejected=arn(2)))
    assert [stop.of_return for stop in decision.stops] == [True]
    assert started(decision) == (None, 1)


# ---------------------------------------------------------------------------------------------- two approvals at once

AT_ONCE = replace(
    APPROVED_3,
    approval={**APPROVED_3.approval, 4: "Approved"},
    deploys=[run(4, "InProgress", 6, commit=""), run(3, "InProgress", 6, commit=""), *BOTH_SERVED.deploys],
)


def test_of_two_versions_on_their_way_the_older_one_is_stopped_before_it_asks_anybody() -> None:
    (stop,) = AT_ONCE.decide().stops
    assert (stop.run.package, stop.of_return) == (arn(3), False)
    assert stop.reason == "version 4 is newer and approved: the deployment of version 3 is stopped before anybody is asked about it"


def test_a_review_that_is_open_stays_open_when_a_newer_version_is_approved() -> None:
    """Somebody is looking at it. The newer one waits for its turn behind it."""
    assert replace(AT_ONCE, asked=AT_ONCE.deploys[1].identifier).decide().stops == []
    assert replace(AT_ONCE, entered=AT_ONCE.deploys[1].identifier).decide().stops == []


def test_settings_of_what_production_has_are_not_stopped_for_a_newer_version_which_does_not_bring_them() -> None:
    settings = run(2, "InProgress", 6, commit="scaled")
    assert replace(AT_ONCE, deploys=[AT_ONCE.deploys[0], settings, *BOTH_SERVED.deploys]).decide().stops == []


def test_a_newer_version_that_is_rejected_meanwhile_stops_nothing_but_itself() -> None:
    assert [stop.run.package for stop in rejected(AT_ONCE, 4).decide().stops] == [arn(4)]


# ---------------------------------------------------------------------------------------------- what serves is made anew


def rebuild(before: float) -> Wake:
    """A look at a Monday that makes anew what was released before a day."""
    return Wake(rebuild_before=MONDAY + timedelta(days=before), rebuilt="2026-02-02")


def test_an_old_release_is_made_anew_with_the_same_version_and_commit_and_is_told() -> None:
    decision = BOTH_SERVED.decide(rebuild(5))
    assert decision.forth is not None
    assert (decision.forth.version.number, decision.forth.commit, decision.forth.rebuilt) == (2, "first", "2026-02-02")
    assert decision.told == ["abalone: version 2 is made anew, as its last release is of 2026-01-09; it asks for production after staging"]


def test_a_young_release_is_not_made_anew() -> None:
    """Counted from its end, so also from when it was made anew the last time."""
    decision = BOTH_SERVED.decide(rebuild(4))
    assert (started(decision), decision.told) == ((None, None), [])
    assert decision.reasons == ["the last release is not older than 2026-01-09, so nothing is rebuilt"]


@pytest.mark.parametrize(
    "world",
    [
        World(live=None, approval={1: "Approved"}, deploys=[run(1, "Failed", 2)]),
        replace(BOTH_SERVED, deploys=[run(2, "InProgress", 6), *BOTH_SERVED.deploys]),
        replace(BOTH_SERVED, approval={1: "deleted", 2: "deleted"}),
    ],
    ids=["nothing serves", "a deployment is on", "the version is approved no more"],
)
def test_only_what_serves_and_is_approved_is_made_anew_and_nothing_is_under_way(world: World) -> None:
    assert started(world.decide(rebuild(100))) == (None, None)


def test_what_goes_out_for_another_reason_is_made_anew_by_that() -> None:
    decision = SCALED.decide(rebuild(100))
    assert decision.forth is not None
    assert (decision.forth.commit, decision.forth.rebuilt) == ("scaled", "")


def made_anew(status: str, in_production: str, *, last: str = "never", returns: Sequence[Run] = ()) -> World:
    """Version 2 was made anew on the second of February, or was to be. `in_production`: the day there; `last`: that of the last release."""
    deploys = [run(2, status, 28, rebuilt="2026-02-02"), run(2, "Succeeded", 4, rebuilt=last), run(1, "Succeeded", 2)]
    return replace(BOTH_SERVED, deploys=deploys, rebuilt=in_production, returns=returns)


@pytest.mark.parametrize(("status", "how"), [("Failed", "whose verification did not succeed"), ("Stopped", "which broke off")])
def test_what_was_made_anew_and_not_verified_returns_to_another_fleet_of_the_same_version(status: str, how: str) -> None:
    """No template says that it is another one, and the same day would change nothing."""
    decision = made_anew(status, "2026-02-02").decide()
    assert decision.back is not None
    assert (decision.back.version.number, decision.back.commit, decision.back.leaving) == (2, "first", arn(2))
    assert decision.back.rebuilt == "2026-02-01"
    (line,) = decision.told
    assert f"as the deployment of 2026-02-02 has made it anew, {how}; production returns to version 2" in line


@pytest.mark.parametrize(
    "world",
    [
        made_anew("Failed", ""),
        made_anew("Failed", "2026-01-05"),
        made_anew("Failed", "2026-02-02", last="2026-02-02"),
        replace(BOTH_SERVED, deploys=[run(2, "Failed", 28, commit="scaled"), *BOTH_SERVED.deploys]),
    ],
    ids=["its alarms undid it", "staging refused it", "it was made anew that day before", "settings that failed before production"],
)
def test_what_was_not_made_anew_has_nothing_to_return_from(world: World) -> None:
    assert started(world.decide()) == (None, None)


def test_its_return_that_failed_too_is_told_and_not_followed_by_another() -> None:
    """The tag means another image by now, perhaps: only a person can say what helps."""
    back = run(2, "Failed", 29, leaving=2, rebuilt="2026-02-01")
    decision = made_anew("Failed", "2026-02-01", returns=[back]).decide()
    assert started(decision) == (None, None)
    assert "and a return failed, which is not tried again by itself" in decision.told[0]
    assert started(replace(made_anew("Failed", "2026-02-01", returns=[back])).decide(Wake(by_hand=True)))[1] == 2


def test_no_other_look_makes_anything_anew() -> None:
    assert started(BOTH_SERVED.decide(CLOCK)) == (None, None)
