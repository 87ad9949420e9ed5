//! Troubles of timing: words that come late, speech without an end, a far end that does not answer.

use super::*;

const WHOLE: &str = "heard \"One two three four five. Six seven eight nine ten.\"";

fn row(trouble: &'static str, until: u64, script: Vec<(u64, Do)>, expect: &[&str]) -> Row {
    let expect = expect.iter().map(|line| line.replace("WHOLE", WHOLE).leak() as &'static str).collect::<Vec<_>>();
    Row { trouble, policy: quiet_policy(), agent: Agent::default(), script, until, expect: expect.leak() }
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = speech_without_end();
    rows.extend(late_words());
    rows.extend(keys());
    rows.extend(far_ends());
    rows.extend(endings());
    rows
}

fn speech_without_end() -> Vec<Row> {
    vec![
        row(
            "words that do not change are a turn although the line is never quiet",
            8_000,
            vec![(0, Do::Speak), (500, Do::Partial("a")), (900, Do::Partial("a question"))],
            &["3900 answer a question", "6000 WHOLE"],
        ),
        row(
            "the recognizer's word is enough although the line is never quiet",
            8_000,
            vec![(0, Do::Speak), (900, Do::Final("a question")), (920, Do::Heard)],
            &["920 answer a question", "3020 WHOLE"],
        ),
        row(
            "a recognizer without guesses has its time between words",
            20_000,
            vec![(0, Do::Speak), (900, Do::Final("a question")), (14_000, Do::Final("or two")), (14_100, Do::Heard)],
            &["14100 answer a question or two", "16200 WHOLE"],
        ),
        Row {
            policy: Policy { reprompt_after: ms(5_000), max_reprompts: 1, ..Policy::default() },
            ..row(
                "speech without words is as good as silence",
                40_000,
                vec![(0, Do::Speak)],
                &[
                    "15000 reprompt 1",
                    "15600 heard \"Hello there.\"",
                    "20600 goodbye silence",
                    "21200 heard \"Hello there.\"",
                    "21200 hang up silence",
                ],
            )
        },
        row(
            "a recognizer without guesses is given time to hear a long interruption",
            12_000,
            script(&[question(0), vec![(1_600, Do::Speak), (7_000, Do::Quiet), (7_100, Do::Final("no wait"))]]),
            &[
                "860 answer a question",
                "1600 clear",
                "1600 hold",
                "7100 stop",
                "7100 heard \"One two\"...",
                "7400 answer no wait",
                "9500 WHOLE",
            ],
        ),
    ]
}

fn late_words() -> Vec<Row> {
    let guessed = |rest: Vec<(u64, Do)>| {
        let guess = vec![(0, Do::Speak), (700, Do::Quiet), (740, Do::Partial("my name is Ada"))];
        script(&[guess, vec![(1_140, Do::Speak)], rest])
    };
    vec![
        row(
            "a back-channel whose word comes late stops nothing for good",
            8_000,
            script(&[question(0), vec![(1_600, Do::Speak), (1_900, Do::Quiet), (2_700, Do::Final("mm-hm"))]]),
            &["860 answer a question", "1600 clear", "1600 hold", "2600 resume", "4600 WHOLE"],
        ),
        row(
            "without a reply such a word is an answer",
            8_000,
            vec![(0, Do::Speak), (400, Do::Quiet), (440, Do::Final("yeah")), (460, Do::Heard)],
            &["460 answer yeah", "2560 WHOLE"],
        ),
        row(
            "such a word while the last mark is on its way is an answer",
            6_000,
            script(&[
                question(0),
                vec![(2_900, Do::LoseMarks), (3_200, Do::Speak), (3_500, Do::Quiet)],
                vec![(3_540, Do::Final("yeah")), (3_560, Do::Heard)],
            ]),
            &["860 answer a question", "3560 stop", "3560 WHOLE", "3560 answer yeah"],
        ),
        row(
            "a question that an announcement broke into is answered after it",
            8_000,
            script(&[question(0), vec![(900, Do::Greet)]]),
            &[
                "860 answer a question",
                "900 stop",
                "900 heard \"\"...",
                "900 announce",
                "1500 heard \"Hello there.\"",
                "1500 answer a question",
                "3600 WHOLE",
            ],
        ),
        row(
            "words that were answered as a guess are not answered again",
            6_000,
            guessed(vec![
                (1_300, Do::Final("My name is Ada.")),
                (1_500, Do::Partial("and I am")),
                (2_000, Do::Quiet),
                (2_040, Do::Final("and I am late")),
                (2_060, Do::Heard),
            ]),
            &[
                "1100 answer my name is Ada",
                "1140 hold",
                "1500 stop",
                "1500 heard \"\"...",
                "2060 answer my name is Ada|and I am late",
                "4160 WHOLE",
            ],
        ),
        row(
            "of words that go beyond an answered guess, the rest counts",
            6_000,
            guessed(vec![(2_000, Do::Quiet), (2_040, Do::Final("My name is Ada, and I am late.")), (2_060, Do::Heard)]),
            &[
                "1100 answer my name is Ada",
                "1140 hold",
                "2040 stop",
                "2040 heard \"\"...",
                "2060 answer my name is Ada|and I am late.",
                "4160 WHOLE",
            ],
        ),
    ]
}

fn keys() -> Vec<Row> {
    let notice = vec![(0, Do::Notice)];
    vec![
        row(
            "keys wait for what may not be cut",
            8_000,
            script(&[notice.clone(), vec![(100, Do::Digit('4')), (200, Do::Digit('#'))]]),
            &["0 announce", "600 heard \"Hello there.\"", "600 answer 4", "2700 WHOLE"],
        ),
        Row {
            policy: Policy { digit_timeout: ms(200), ..quiet_policy() },
            ..row(
                "keys whose time is over wait for what may not be cut",
                8_000,
                script(&[notice, vec![(100, Do::Digit('4'))]]),
                &["0 announce", "600 heard \"Hello there.\"", "600 answer 4", "2700 WHOLE"],
            )
        },
        row(
            "keys do not call off the end of the call",
            8_000,
            vec![(0, Do::Drain), (100, Do::Digit('4')), (200, Do::Digit('#'))],
            &["0 goodbye draining", "600 heard \"Hello there.\"", "600 hang up draining"],
        ),
    ]
}

fn far_ends() -> Vec<Row> {
    let long =
        Agent { sentences: vec![("One two.", 2_000), ("Three four.", 2_000), ("Five.", 2_000)], ..Agent::default() };
    vec![
        row(
            "what a far end that stands still did not play is not remembered",
            8_000,
            script(&[vec![(0, Do::Greet)], question(700), vec![(1_800, Do::Freeze)]]),
            &[
                "0 announce",
                "600 heard \"Hello there.\"",
                "1560 answer a question",
                "4660 clear",
                "4660 stalled",
                "4660 resume",
                "7660 clear",
                "7660 stalled",
                "7660 heard \"\"...",
            ],
        ),
        Row {
            agent: long,
            ..row(
                "a far end that never returns marks hears the whole answer",
                12_000,
                script(&[vec![(0, Do::LoseMarks)], question(0)]),
                &["860 answer a question", "8960 heard \"One two. Three four. Five.\""],
            )
        },
    ]
}

fn endings() -> Vec<Row> {
    let slow = Agent { silent_for: 7_000, ..Agent::default() };
    vec![
        Row {
            agent: slow,
            policy: Policy { reprompt_after: ms(1_000), max_reprompts: 0, ..Policy::default() },
            ..row(
                "nobody is hung up on while they speak before the goodbye sounds",
                12_000,
                vec![(1_200, Do::Speak), (6_800, Do::Quiet), (7_000, Do::Partial("one more thing"))],
                &[
                    "1000 goodbye silence",
                    "1200 hold",
                    "7000 stop",
                    "7000 heard \"\"...",
                    "7200 answer one more thing",
                    "9200 filler",
                ],
            )
        },
        Row {
            agent: Agent { loses_voice: true, ..Agent::default() },
            ..row(
                "a sentence that gives no sound the second time does not keep the reply open",
                8_000,
                script(&[question(0), vec![(2_100, Do::Speak), (2_400, Do::Quiet)]]),
                &[
                    "860 answer a question",
                    "2100 clear",
                    "2100 hold",
                    "3100 resume",
                    "3100 heard \"One two three four five.\"",
                ],
            )
        },
    ]
}
