"""The comparison of policies held to a brute-force evaluation of every request of a small world."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.gate.patterns import covers, may_meet
from ops.gate.statements import broadenings, parse_statements

ACTIONS = ("s3:get", "s3:put", "sqs:send")
RESOURCES = ("a/1", "a/2", "b")
CALLERS = ("arn:one", "arn:two")
CONTEXTS = (None, "x", "xy", "z")
WORLD = tuple(product(ACTIONS, RESOURCES, CALLERS, CONTEXTS))

action_patterns = st.sampled_from(["*", "S3:*", "s3:get", "s3:Put", "s?s:send", "sqs:send", "s3:g*"])
resource_patterns = st.sampled_from(["*", "a/*", "a/1", "?/1", "b", "*1", "a/?"])
conditions = st.sampled_from(
    [
        None,
        {"StringEquals": {"k": "x"}},
        {"StringEquals": {"K": ["x", "z"]}},
        {"StringLike": {"k": "x*"}},
        {"StringNotEquals": {"k": "x"}},
        {"StringNotEquals": {"k": ["x", "z"]}},
        {"StringNotLike": {"k": "x*"}},
        {"StringNotLike": {"k": "xy"}},
        {"StringEquals": {"k": "x"}, "StringLike": {"k": "x*"}},
    ]
)
principals = st.sampled_from(["*", {"AWS": "*"}, {"AWS": "arn:one"}, {"AWS": ["arn:one", "arn:two"]}])


def some(patterns):
    return st.lists(patterns, min_size=1, max_size=2)


@st.composite
def statement_bodies(draw, effects=("Allow", "Deny")):
    body = {
        "Effect": draw(st.sampled_from(effects)),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(some(action_patterns)),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(some(resource_patterns)),
        draw(st.sampled_from(["Principal", "Principal", "NotPrincipal"])): draw(principals),
    }
    condition = draw(conditions)
    return body | ({"Condition": condition} if condition else {})


policies = st.lists(statement_bodies(), max_size=3)


def matches(pattern, text):
    """Wildcard matching by recursion, as simple as it gets."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return matches(pattern[1:], text) or (bool(text) and matches(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and matches(pattern[1:], text[1:])


def holds(operator, wanted, actual):
    wanted = wanted if isinstance(wanted, list) else [wanted]
    like = "Like" in operator
    hit = actual is not None and any(matches(w, actual) if like else w == actual for w in wanted)
    return not hit if "Not" in operator else hit


def applies(body, request):
    action, resource, caller, context = request

    def named(name, value, lower=False):
        key = f"Not{name}" if f"Not{name}" in body else name
        hit = any(matches(p.lower() if lower else p, value) for p in body[key])
        return hit != key.startswith("Not")

    inverted = "NotPrincipal" in body
    who = body["NotPrincipal" if inverted else "Principal"]
    listed = ["*"] if who == "*" else who["AWS"] if isinstance(who["AWS"], list) else [who["AWS"]]
    return (
        named("Action", action, lower=True)
        and named("Resource", resource)
        and ("*" in listed or caller in listed) != inverted
        and all(
            holds(operator, wanted, context)
            for operator, keys in body.get("Condition", {}).items()
            for wanted in keys.values()
        )
    )


def allowed(policy):
    def by(effect, request):
        return any(body["Effect"] == effect and applies(body, request) for body in policy)

    return {request for request in WORLD if by("Allow", request) and not by("Deny", request)}


def wider(before, after):
    return broadenings(parse_statements({"Statement": before}), parse_statements({"Statement": after}))


@settings(max_examples=400, deadline=None)
@given(policies, policies)
def test_what_is_not_called_broader_allows_nothing_new(before, after):
    if not wider(before, after):
        assert allowed(after) <= allowed(before)


@settings(max_examples=200, deadline=None)
@given(policies, statement_bodies(effects=("Allow",)))
def test_an_added_statement_is_called_broader_unless_it_was_covered(policy, added):
    if not wider(policy, [*policy, added]):
        grants = [body for body in policy if body["Effect"] == "Allow"]
        assert allowed([added]) <= allowed(grants)


@settings(max_examples=200, deadline=None)
@given(policies, statement_bodies(effects=("Deny",)))
def test_a_removed_denial_is_called_broader_unless_another_covers_it(policy, denial):
    if not wider([*policy, denial], policy):
        everything = {"Effect": "Allow", "Action": ["*"], "Resource": ["*"], "Principal": "*"}
        denials = [body for body in policy if body["Effect"] == "Deny"]
        assert allowed([everything, *denials]) <= allowed([everything, *denials, denial])


@given(policies, st.randoms())
def test_the_same_policy_in_another_order_is_not_broader(policy, random):
    shuffled = random.sample(policy, len(policy))
    assert wider(policy, shuffled) == []


@given(policies, st.lists(statement_bodies(effects=("Deny",)), max_size=2))
def test_allowing_less_or_denying_more_is_not_broader(policy, denials):
    fewer = [body for body in policy if body["Effect"] == "Deny"] + policy[:1]
    assert wider(policy, [*fewer, *denials]) == []


patterns = st.text(alphabet="ab*?", max_size=6)
TEXTS = ["".join(letters) for length in range(5) for letters in product("ab", repeat=length)]


@settings(max_examples=400, deadline=None)
@given(patterns, patterns)
def test_a_pattern_that_covers_another_matches_whatever_it_matches(wide, narrow):
    if covers(wide, narrow):
        assert all(matches(wide, text) for text in TEXTS if matches(narrow, text))
    if not may_meet(wide, narrow):
        assert not any(matches(wide, text) and matches(narrow, text) for text in TEXTS)


@given(patterns, st.text(alphabet="ab", max_size=6))
def test_on_plain_text_covering_and_meeting_are_matching(pattern, text):
    assert covers(pattern, text) == matches(pattern, text)
    assert may_meet(pattern, text) == matches(pattern, text)


def test_a_token_is_unknown_text_that_only_itself_or_a_star_covers():
    assert covers("${Bucket.Arn}/*", "${Bucket.Arn}/exports/*")
    assert covers("arn:*", "arn:${AWS::Partition}:s3:::x")
    assert not covers("${Bucket.Arn}/*", "${Other.Arn}/exports")
    assert not covers("?", "${Bucket}")
    assert may_meet("${Bucket.Arn}", "arn:aws:s3:::x")
