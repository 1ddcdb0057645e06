"""What a template says before it is deployed."""

from __future__ import annotations

from preflight.assembly import Place


def test_a_text_with_names_of_its_own_is_read_as_far_as_it_goes() -> None:
    text = {"Fn::Sub": ["${Bucket} in ${AWS::Region} by ${Parameter}", {"Bucket": {"Fn::Join": ["-", ["a", {"Fn::ImportValue": "b"}]]}}]}
    assert Place("111122223333", "eu-west-1").loosely(text) == "a-? in eu-west-1 by ?"
