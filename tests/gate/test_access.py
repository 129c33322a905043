"""Changes that would open a door, each as a pair of templates through the command line."""

import copy
import json

import pytest

from tests.gate.test_losses import BUCKET, QUEUE, altered, resource

QUEUE_ARN = {"Fn::GetAtt": ["Q", "Arn"]}
TRUST = {
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
    ]
}
ROLE = resource("AWS::IAM::Role", AssumeRolePolicyDocument=TRUST)
DENY_PLAIN_HTTP = {
    "Effect": "Deny",
    "Action": "s3:*",
    "Principal": "*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def allow(action, on=QUEUE_ARN, **rest):
    return {"Effect": "Allow", "Action": action, "Resource": on} | rest


def granted(*statements, role=ROLE, policies=1):
    """A role with the statements spread over so many attached policies."""
    built = {"Role": role, "Q": QUEUE}
    for index in range(policies):
        built[f"Policy{index}"] = resource(
            "AWS::IAM::Policy",
            PolicyName=f"p{index}",
            Roles=[{"Ref": "Role"}],
            PolicyDocument={"Statement": list(statements[index::policies])},
        )
    return built


RECEIVE = allow(["sqs:ReceiveMessage", "sqs:DeleteMessage"])
WRITE = allow(
    "s3:PutObject", "arn:aws:s3:::b/exports/*", Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}}
)


@pytest.mark.parametrize(
    ("after", "text"),
    [
        (granted(RECEIVE, WRITE, allow("sqs:SendMessage")), "sqs:sendmessage on ${Q.Arn}"),
        (
            granted(allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:PurgeQueue"]), WRITE),
            "sqs:purgequeue",
        ),
        (granted(allow("sqs:*"), WRITE), "sqs:*"),
        (granted(allow("sqs:ReceiveMessage", "*"), WRITE), "sqs:receivemessage on *"),
        (granted(RECEIVE, WRITE | {"Resource": "arn:aws:s3:::b/*"}), "arn:aws:s3:::b/*"),
        (granted(RECEIVE, {k: v for k, v in WRITE.items() if k != "Condition"}), "s3:putobject"),
        (
            granted(
                RECEIVE, WRITE | {"Condition": {"StringEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}}}
            ),
            "vpce-2",
        ),
        (granted(RECEIVE, {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}), "all but iam:*"),
        (
            granted(RECEIVE, WRITE, role=altered(ROLE, ManagedPolicyArns=["arn:aws:iam::aws:policy/X"])),
            "policy/X",
        ),
        (
            granted(
                RECEIVE,
                WRITE,
                role=altered(ROLE, Policies=[{"PolicyDocument": {"Statement": [allow("kms:Decrypt", "*")]}}]),
            ),
            "kms:decrypt on *",
        ),
        (
            granted(
                RECEIVE,
                WRITE,
                role=altered(
                    ROLE,
                    AssumeRolePolicyDocument={
                        "Statement": [*TRUST["Statement"], allow("sts:AssumeRole", Principal={"AWS": "*"})]
                    },
                ),
            ),
            "sts:assumerole on ${Q.Arn} for anyone",
        ),
    ],
)
def test_a_role_that_is_granted_more_is_blocked(gate, after, text):
    answer = gate.change(granted(RECEIVE, WRITE), after)
    assert answer.code == 1
    assert ("iam-broadened", "Role") in answer.kinds
    assert text in answer.text


@pytest.mark.parametrize(
    "after",
    [
        granted(RECEIVE),
        granted(allow("sqs:receivemessage"), WRITE),
        granted(WRITE, allow("sqs:DeleteMessage"), allow("sqs:ReceiveMessage"), policies=3),
        granted(RECEIVE | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, WRITE),
        granted(RECEIVE, WRITE | {"Resource": "arn:aws:s3:::b/exports/2026/*"}),
        granted(RECEIVE, WRITE, {"Effect": "Deny", "Action": "*", "Resource": "*"}),
        granted(RECEIVE, WRITE, role=altered(ROLE, PermissionsBoundary="arn:aws:iam::1:policy/b")),
    ],
    ids=["less", "fewer", "moved between policies", "condition", "narrower prefix", "deny", "boundary"],
)
def test_a_role_that_is_granted_the_same_or_less_passes(gate, after):
    answer = gate.change(granted(RECEIVE, WRITE), after)
    assert answer.code == 0, answer.text


def test_losing_a_permissions_boundary_is_blocked(gate):
    bounded = altered(ROLE, PermissionsBoundary="arn:aws:iam::1:policy/b")
    answer = gate.change(granted(RECEIVE, role=bounded), granted(RECEIVE))
    assert answer.code == 1
    assert "no longer denied" in answer.text


def bucket_policy(*statements):
    return {
        "Bucket": BUCKET,
        "Policy": resource(
            "AWS::S3::BucketPolicy", Bucket={"Ref": "Bucket"}, PolicyDocument={"Statement": list(statements)}
        ),
    }


def test_removing_the_tls_denial_is_blocked(gate):
    answer = gate.change(bucket_policy(DENY_PLAIN_HTTP), bucket_policy())
    assert answer.code == 1
    assert ("iam-broadened", "Bucket") in answer.kinds
    assert "no longer denied: Deny s3:* on * for anyone if bool aws:securetransport" in answer.text


def test_removing_the_whole_bucket_policy_is_blocked(gate):
    answer = gate.change(bucket_policy(DENY_PLAIN_HTTP), {"Bucket": BUCKET})
    assert ("iam-broadened", "Bucket") in answer.kinds


def test_narrowing_what_is_denied_is_blocked(gate):
    narrower = DENY_PLAIN_HTTP | {"Action": ["s3:GetObject"]}
    assert gate.change(bucket_policy(DENY_PLAIN_HTTP), bucket_policy(narrower)).code == 1
    assert gate.change(bucket_policy(narrower), bucket_policy(DENY_PLAIN_HTTP)).code == 0


def test_a_denial_that_goes_with_its_resource_is_only_a_removal(gate):
    stack = {"Topic": resource("AWS::SNS::Topic"), "Other": QUEUE}
    policy = resource(
        "AWS::SNS::TopicPolicy", Topics=[{"Ref": "Topic"}], PolicyDocument={"Statement": [DENY_PLAIN_HTTP]}
    )
    answer = gate.change({**stack, "Policy": policy}, {"Other": QUEUE})
    assert answer.kinds == {("stateful-removed", "Topic"), ("removed", "Policy")}


def test_a_bucket_open_to_everyone_is_blocked(gate):
    public = {"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*", "Resource": "*"}
    answer = gate.change(bucket_policy(DENY_PLAIN_HTTP), bucket_policy(DENY_PLAIN_HTTP, public))
    assert answer.code == 1
    assert "now allowed: Allow s3:getobject on * for anyone" in answer.text


def test_policies_of_unknown_types_are_found_by_their_shape(gate):
    thing = resource("AWS::New::Thing", Deep=[{"Access": {"Statement": [allow("x:Get", Principal="*")]}}])
    none = resource("AWS::New::Thing", Deep=[{"Access": {"Statement": [DENY_PLAIN_HTTP]}}])
    answer = gate.change({"Thing": none}, {"Thing": thing})
    assert ("iam-broadened", "Thing") in answer.kinds


def test_policies_written_as_json_text_are_read(gate):
    document = json.dumps(
        {"Statement": [allow("logs:PutLogEvents", "*", Principal={"Service": "es.amazonaws.com"})]}
    )
    policy = resource("AWS::Logs::ResourcePolicy", PolicyDocument=document)
    answer = gate.change({"Q": QUEUE}, {"Q": QUEUE, "Policy": policy})
    assert "logs:putlogevents on * for Service es.amazonaws.com" in answer.text


def test_an_endpoint_that_loses_its_policy_is_open_to_everything(gate):
    endpoint = resource("AWS::EC2::VPCEndpoint", ServiceName="s3", VpcId="v")
    limited = altered(endpoint, PolicyDocument={"Statement": [allow("s3:GetObject", "*", Principal="*")]})
    assert gate.change({"Endpoint": limited}, {"Endpoint": endpoint}).code == 1
    assert gate.change({"Endpoint": endpoint}, {"Endpoint": limited}).code == 0
    assert gate.change({"Q": QUEUE}, {"Q": QUEUE, "Endpoint": endpoint}).code == 0


def ingress(**rule):
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443} | rule


def group(*rules, egress=()):
    return {
        "Group": resource(
            "AWS::EC2::SecurityGroup",
            GroupDescription="g",
            SecurityGroupIngress=list(rules),
            SecurityGroupEgress=list(egress),
        )
    }


NARROW = ingress(CidrIp="10.0.0.0/16")


@pytest.mark.parametrize(
    ("after", "text"),
    [
        (
            group(NARROW, ingress(FromPort=22, ToPort=22, CidrIp="10.0.0.0/16")),
            "tcp port 22 in from 10.0.0.0/16",
        ),
        (group(ingress(CidrIp="0.0.0.0/0")), "tcp port 443 in from 0.0.0.0/0"),
        (group(ingress(CidrIp="10.0.0.0/8")), "in from 10.0.0.0/8"),
        (group(ingress(CidrIp="10.0.0.0/16", FromPort=80)), "tcp port 80-443"),
        (group(ingress(CidrIp="10.0.0.0/16", IpProtocol="-1")), "all traffic in from 10.0.0.0/16"),
        (group(NARROW, ingress(CidrIpv6="::/0")), "in from ::/0"),
        (group(NARROW, ingress(SourceSecurityGroupId="sg-1")), "in from sg-1"),
        (group(NARROW, egress=[ingress(CidrIp="0.0.0.0/0")]), "tcp port 443 out to 0.0.0.0/0"),
    ],
)
def test_a_security_group_that_lets_more_through_is_blocked(gate, after, text):
    answer = gate.change(group(NARROW), after)
    assert answer.code == 1
    assert answer.kinds & {("network-broadened", "Group")}
    assert text in answer.text


def test_a_standalone_ingress_rule_counts_for_its_group(gate):
    rule = resource("AWS::EC2::SecurityGroupIngress", **NARROW, GroupId={"Fn::GetAtt": ["Group", "GroupId"]})
    assert gate.change(group(), {**group(), "Rule": rule}).kinds & {("network-broadened", "Rule")}
    assert gate.change(group(NARROW), {**group(), "Rule": rule}).code == 0


def test_narrower_network_rules_pass(gate):
    inside = group(ingress(CidrIp="10.0.4.0/24"))
    assert gate.change(group(NARROW), inside).code == 0
    assert gate.change(group(NARROW), group()).code == 0


def test_a_group_without_egress_rules_may_reach_everything(gate):
    closed = group(egress=[ingress(CidrIp="10.0.0.0/16")])
    opened = copy.deepcopy(closed)
    del opened["Group"]["Properties"]["SecurityGroupEgress"]
    assert gate.change(closed, opened).code == 1


SUBNET = resource("AWS::EC2::Subnet", CidrBlock="10.0.0.0/24", VpcId="v", MapPublicIpOnLaunch=False)
SERVICE = resource(
    "AWS::ECS::Service", NetworkConfiguration={"AwsvpcConfiguration": {"AssignPublicIp": "DISABLED"}}
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SUBNET, altered(SUBNET, MapPublicIpOnLaunch=True)),
        (
            SERVICE,
            altered(SERVICE, NetworkConfiguration={"AwsvpcConfiguration": {"AssignPublicIp": "ENABLED"}}),
        ),
        (SERVICE, altered(SERVICE, EnableExecuteCommand=True)),
        (BUCKET, altered(BUCKET, PublicAccessBlockConfiguration=None)),
        (
            BUCKET,
            altered(
                BUCKET,
                PublicAccessBlockConfiguration=BUCKET["Properties"]["PublicAccessBlockConfiguration"]
                | {"BlockPublicPolicy": False},
            ),
        ),
        (BUCKET, altered(BUCKET, AccessControl="PublicRead")),
        (None, altered(BUCKET, PublicAccessBlockConfiguration=None)),
        (None, resource("AWS::EC2::VPCGatewayAttachment", VpcId="v", InternetGatewayId="igw")),
        (None, resource("AWS::ElasticLoadBalancingV2::LoadBalancer")),
    ],
)
def test_what_the_public_can_reach_is_blocked(gate, before, after):
    answer = gate.change({"Thing": before} if before else {"Q": QUEUE}, {"Thing": after, "Q": QUEUE})
    assert answer.code == 1
    assert ("public-access", "Thing") in answer.kinds


def test_a_route_to_the_internet_is_blocked_and_one_to_a_nat_gateway_is_not(gate):
    route = resource(
        "AWS::EC2::Route", RouteTableId="rtb", DestinationCidrBlock="0.0.0.0/0", NatGatewayId="nat"
    )
    assert gate.change({"Q": QUEUE}, {"Q": QUEUE, "Route": route}).code == 0
    public = resource(
        "AWS::EC2::Route", RouteTableId="rtb", DestinationCidrBlock="0.0.0.0/0", GatewayId="igw"
    )
    assert gate.change({"Q": QUEUE}, {"Q": QUEUE, "Route": public}).code == 1


def test_a_new_environment_may_do_what_another_may(gate):
    dev, prod = granted(RECEIVE, WRITE), granted(RECEIVE)
    same = gate.compare(
        {"dev/main": dev, "prod/main": prod},
        {"dev/main": dev, "prod/main": prod, "qa/main": granted(RECEIVE, WRITE)},
    )
    assert same.code == 0
    looser = gate.compare(
        {"dev/main": dev, "prod/main": prod},
        {"dev/main": dev, "prod/main": prod, "qa/main": granted(allow("sqs:*"), WRITE)},
    )
    assert looser.code == 1
    assert "compared with dev: qa is new" in looser.text


def test_an_import_of_another_stack_is_the_resource_behind_it(gate):
    def system(export, target):
        role = granted(allow("sqs:SendMessage", {"Fn::ImportValue": export}))
        return {"prod/queues": {"Jobs": QUEUE, "Other": QUEUE}, "prod/app": role}, {
            "prod/queues": {"Out": {"Export": {"Name": export}, "Value": {"Fn::GetAtt": [target, "Arn"]}}}
        }

    (before, outputs), (renamed, renamed_outputs) = system("old", "Jobs"), system("new", "Jobs")
    answer = gate.compare(before, renamed, outputs=(outputs, renamed_outputs))
    assert {kind for kind, _ in answer.kinds} == {"needs-two-steps"}
    moved, moved_outputs = system("old", "Other")
    answer = gate.compare(before, moved, outputs=(outputs, moved_outputs))
    assert answer.code == 1
    assert "now allowed: Allow sqs:sendmessage on ${queues/Other.Arn}" in answer.text
