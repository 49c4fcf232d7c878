"""A claim can be read by programs."""

from analysis.page.claims import Claim


def test_a_claim_is_written_with_its_verdict_and_numbers():
    claim = Claim("The knee is at 17.", True, "knee", "known", {"knee": (17.0, [12.0, 20.0])})
    assert claim.to_json() == {
        "about": "knee",
        "verdict": "known",
        "decided": True,
        "text": "The knee is at 17.",
        "numbers": {"knee": {"value": 17.0, "ci": [12.0, 20.0]}},
    }
