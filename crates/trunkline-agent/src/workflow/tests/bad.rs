//! Definitions that are wrong, and what is told of each.

use super::*;

/// A workflow around some nodes.
fn around(nodes: &str) -> String {
    format!("name = \"w\"\n[[trigger]]\non = \"message.added\"\n{nodes}\n")
}

#[track_caller]
fn check(text: &str, expected: &[(usize, usize, &str)]) {
    let error = Workflow::parse(text).map(drop).unwrap_err();
    let found: Vec<_> = error.problems.iter().map(|it| (it.line, it.column, it.message.as_str())).collect();
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((found.0, found.1), (expected.0, expected.1), "{found:?} for {expected:?}");
        assert!(found.2.contains(expected.2), "{:?} says nothing of {:?}", found.2, expected.2);
    }
}

#[test]
fn what_is_no_toml() {
    check("name = \"w\n", &[(1, 10, "")]);
    check("name = 'w'\nname = 'v'\n[node.a]\nkind = 'join'\n", &[(2, 1, "duplicate")]);
    check(&format!("# {}", "x".repeat(MAX_SOURCE_BYTES)), &[(1, 1, "at most")]);
}

#[test]
fn what_is_missing_at_the_top() {
    check("", &[(1, 1, "needs name"), (1, 1, "it does nothing"), (1, 1, "nothing starts it")]);
    check(
        "name = \"1 x\"\nname2 = 1\ntimeout = \"soon\"\nat_once = 0\n[[trigger]]\napi = true\n[node.a]\nkind = \"join\"",
        &[
            (1, 8, "letters, digits"),
            (2, 1, "no field name2; is name meant?"),
            (3, 11, "must be a time"),
            (4, 11, "from 1 to 1000"),
        ],
    );
}

#[test]
fn wrong_triggers() {
    let with = |trigger: &str| format!("name = \"w\"\n[node.a]\nkind = \"join\"\n[[trigger]]\n{trigger}\n");
    check(&with("on = \"mesage.added\""), &[(5, 6, "is message.added meant?")]);
    check(&with("on = \"call.failed\"\nevery = \"1h\""), &[(4, 1, "one of on, every, cron and api")]);
    check(&with("when = \"true\""), &[(4, 1, "one of on, every, cron and api"), (5, 1, "no field when")]);
    check(&with("cron = \"99 * * * *\""), &[(5, 8, "cron must be five fields")]);
    check(&with("cron = \"0 9 * * *\"\ntimezone = \"Moon/Tranquility\""), &[(6, 12, "such as Europe/Berlin")]);
    check(&with("every = \"10ms\""), &[(4, 1, "at least 1s")]);
    check(&with("api = false"), &[(4, 1, "api is true")]);
    check(&with("on = \"message.added\"\nwhen = \"event.data.txt == 'x'\""), &[(6, 9, "is text meant?")]);
    check(&with("on = \"message.added\"\nwhen = \"steps.a.state == 'done'\""), &[(6, 9, "knows only event")]);
    check(&with("on = \"message.added\"\nwhen = \"1 + 1\""), &[(6, 8, "must be true or false")]);
    check(&with("on = \"message.added\"\nwhen = \"event.data.text == \""), &[(6, 28, "is not an expression")]);
}

#[test]
fn wrong_nodes() {
    check(&around("[node.a]\nkind = \"sendtext\""), &[(5, 8, "is send_text meant?")]);
    check(&around("[node.a]\n"), &[(4, 7, "node a needs kind")]);
    check(&around("[node.a]\nkind = \"send_text\"\nto = \"x\""), &[(4, 7, "node a needs text")]);
    check(&around("[node.a]\nkind = \"send_text\"\ntext = \"x\""), &[(4, 7, "either to or conversation")]);
    check(&around("[node.a]\nkind = \"send_text\"\nto = \"x\"\ntext = \" \""), &[(4, 7, "text is blank")]);
    check(&around("[node.a]\nkind = \"join\"\ntxet = 1"), &[(6, 1, "node a has no field txet")]);
    check(&around("[node.a]\nkind = \"join\"\njoin = \"some\""), &[(6, 8, "all or any")]);
    check(
        &around("[node.a]\nkind = \"http\"\nurl = \"ftp://x\"\nmethod = \"get\""),
        &[(4, 7, "must be http"), (7, 10, "one of GET, POST")],
    );
    check(&around("[node.a]\nkind = \"wait\""), &[(4, 7, "waits for nothing")]);
    check(&around("[node.a]\nkind = \"wait\"\nfor = \"1h\"\nmatch = \"true\""), &[(4, 7, "there is none")]);
    check(&around("[node.a]\nkind = \"condition\""), &[(4, 7, "needs if")]);
    check(&around("[node.a]\nkind = \"store\"\nperson = \"x\""), &[(4, 7, "needs values")]);
    check(
        &around("[node.a]\nkind = \"join\"\nretry = { attempts = 0, pause = \"1s\" }"),
        &[(6, 22, "from 1 to 100"), (6, 25, "no field pause")],
    );
    check(&around("[node.\"a b\"]\nkind = \"join\""), &[(4, 7, "letters, digits")]);
    let many: Vec<_> = (0..=MAX_NODES).map(|at| format!("[node.n{at}]\nkind = \"join\"\n")).collect();
    check(&around(&many.concat()), &[(4, 2, "at most 200 nodes")]);
}

#[test]
fn wrong_ways() {
    check(&around("[node.a]\nkind = \"join\"\nneeds = [\"b\"]"), &[(6, 10, "there is no node b")]);
    check(&around("[node.a]\nkind = \"join\"\nneeds = [\"a\"]"), &[(4, 7, "circle: a after a")]);
    check(
        &around(
            "[node.a]\nkind = \"join\"\nneeds = [\"c\"]\n[node.b]\nkind = \"join\"\nneeds = [\"a\"]\n[node.c]\nkind = \"join\"\nneeds = [\"b\"]",
        ),
        &[(4, 7, "in a circle: a after c after b after a")],
    );
    check(
        &around("[node.a]\nkind = \"join\"\n[node.b]\nkind = \"join\"\nneeds = [\"a.yes\"]"),
        &[(8, 10, "has no branches")],
    );
    let condition = "[node.a]\nkind = \"condition\"\nif = \"true\"\n[node.b]\nkind = \"join\"\n";
    check(&around(&format!("{condition}needs = [\"a.time\"]")), &[(9, 10, "yes or no")]);
    check(&around(&format!("{condition}needs = [\"a.yes\", \"a.no\"]")), &[(7, 7, "can never run")]);
    check(
        &around("[node.a]\nkind = \"wait\"\nfor = \"1h\"\n[node.b]\nkind = \"join\"\nneeds = [\"a.event\"]"),
        &[(7, 7, "can never run")],
    );
    check(
        &around("[node.a]\nkind = \"join\"\non_failure = \"b\"\n[node.b]\nkind = \"join\"\nneeds = [\"a\"]"),
        &[(7, 7, "cannot have needs")],
    );
    check(&around("[node.a]\nkind = \"join\"\non_failure = \"c\""), &[(6, 14, "there is no node c")]);
    check(
        &around("[node.a]\nkind = \"join\"\non_failure = \"b\"\n[node.b]\nkind = \"join\"\non_failure = \"a\""),
        &[(4, 7, "circle")],
    );
}

#[test]
fn wrong_references() {
    let with = |text: &str| {
        let text = format!(
            "[node.ask]\nkind = \"agent\"\ninput = \"hello\"\n[node.b]\nkind = \"send_text\"\nneeds = [\"ask\"]\nto = \"x\"\ntext = \"{text}\""
        );
        around(&text)
    };
    check(&with("${ steps.aks.output.text }"), &[(11, 12, "is ask meant?")]);
    check(&with("a ${ steps.ask.output.txt }"), &[(11, 14, "is text meant?")]);
    check(&with("${ steps.ask.result }"), &[(11, 12, "has no result")]);
    check(&with("${ steps.b.state }"), &[(11, 12, "does not come before")]);
    check(&with("${ event.data.body }"), &[(11, 12, "event.data has no body")]);
    check(&with("${ event['data']['body'] }"), &[(11, 12, "event.data has no body")]);
    check(&with("${ event.when }"), &[(11, 12, "event has no when")]);
    check(&with("${ run.name }"), &[(11, 12, "run has no name")]);
    check(&with("${ received.data }"), &[(11, 12, "there is no received")]);
    check(&with("${ env.HOME }"), &[(11, 12, "there is no env")]);
    check(&with("${ shell('ls') }"), &[(11, 17, "no function shell")]);
    check(&with("${ 1 + }"), &[(11, 16, "cannot be read")]);
    check(&with("${ 1 "), &[(11, 9, "is not closed")]);
    check(&with("${ [1].exists(x, x == y) }"), &[(11, 31, "there is no y")]);
    assert!(Workflow::parse(&with("${ [1].exists(x, x == 1) } ${ type(1) == int } ${ has(event.data.text) }")).is_ok());
}

#[test]
fn everything_wrong_is_told_at_once() {
    let text = around(
        "[node.a]\nkind = \"send_text\"\ntoo = 1\n[node.b]\nkind = \"wait\"\nneeds = [\"x\"]\nevent = \"call.fails\"",
    );
    check(
        &text,
        &[
            (4, 7, "either to or"),
            (4, 7, "needs text"),
            (6, 1, "no field too"),
            (9, 10, "no node x"),
            (10, 9, "is call.failed meant?"),
        ],
    );
}
