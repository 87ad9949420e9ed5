//! The codec against the standard's own numbers.

use super::{SILENCE, decode, decode_into, encode, encode_into};

/// Decoder output values of table 2a, in the standard's 14 bits: code 0xFF first, 0x80 last.
#[rustfmt::skip]
const OUTPUT: [i16; 128] = [
    0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30,
    33, 37, 41, 45, 49, 53, 57, 61, 65, 69, 73, 77, 81, 85, 89, 93,
    99, 107, 115, 123, 131, 139, 147, 155, 163, 171, 179, 187, 195, 203, 211, 219,
    231, 247, 263, 279, 295, 311, 327, 343, 359, 375, 391, 407, 423, 439, 455, 471,
    495, 527, 559, 591, 623, 655, 687, 719, 751, 783, 815, 847, 879, 911, 943, 975,
    1023, 1087, 1151, 1215, 1279, 1343, 1407, 1471, 1535, 1599, 1663, 1727, 1791, 1855, 1919, 1983,
    2079, 2207, 2335, 2463, 2591, 2719, 2847, 2975, 3103, 3231, 3359, 3487, 3615, 3743, 3871, 3999,
    4191, 4447, 4703, 4959, 5215, 5471, 5727, 5983, 6239, 6495, 6751, 7007, 7263, 7519, 7775, 8031,
];

/// Decision values of table 2a: from here on, and not before, a magnitude has the next code.
#[rustfmt::skip]
const DECISION: [i32; 127] = [
    1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31,
    35, 39, 43, 47, 51, 55, 59, 63, 67, 71, 75, 79, 83, 87, 91, 95,
    103, 111, 119, 127, 135, 143, 151, 159, 167, 175, 183, 191, 199, 207, 215, 223,
    239, 255, 271, 287, 303, 319, 335, 351, 367, 383, 399, 415, 431, 447, 463, 479,
    511, 543, 575, 607, 639, 671, 703, 735, 767, 799, 831, 863, 895, 927, 959, 991,
    1055, 1119, 1183, 1247, 1311, 1375, 1439, 1503, 1567, 1631, 1695, 1759, 1823, 1887, 1951, 2015,
    2143, 2271, 2399, 2527, 2655, 2783, 2911, 3039, 3167, 3295, 3423, 3551, 3679, 3807, 3935, 4063,
    4319, 4575, 4831, 5087, 5343, 5599, 5855, 6111, 6367, 6623, 6879, 7135, 7391, 7647, 7903,
];

#[test]
fn all_codes_have_the_values_of_the_standard() {
    for (value, code) in OUTPUT.into_iter().zip((0x80..=0xFF).rev()) {
        assert_eq!(decode(code), value * 4, "{code:#04x}");
        assert_eq!(decode(code & 0x7F), -value * 4, "{:#04x}", code & 0x7F);
    }
    assert_eq!(decode(SILENCE), 0);
}

#[test]
fn every_sample_has_the_code_between_its_decision_values() {
    for sample in i16::MIN..=i16::MAX {
        let magnitude = i32::from(sample).abs();
        let passed = DECISION.partition_point(|decision| decision * 4 <= magnitude);
        let sign = if sample < 0 { 0x00 } else { 0x80 };
        let expected = sign | !u8::try_from(passed).unwrap() & 0x7F;
        assert_eq!(encode(sample), expected, "{sample}");
    }
}

#[test]
fn encoding_a_decoded_code_gives_it_back() {
    for code in 0..=u8::MAX {
        let expected = if code == 0x7F { SILENCE } else { code };
        assert_eq!(encode(decode(code)), expected);
    }
}

#[test]
fn the_nearest_code_is_taken_but_where_steps_grow_and_louder_is_never_quieter() {
    let mut last = i16::MIN;
    for sample in i16::MIN..=i16::MAX {
        let heard = decode(encode(sample));
        let off = |value: i16| (i32::from(value) - i32::from(sample)).abs();
        let best = (0..=u8::MAX).map(|code| off(decode(code))).min().unwrap();
        // Between two segments the standard decides a quarter of the larger step below the middle.
        let allowed = if off(heard) == best { best } else { 8 + i32::from(sample).abs() / 32 };
        assert!(off(heard) <= allowed, "{sample}");
        assert!(heard >= last, "{sample}");
        last = heard;
    }
}

#[test]
fn the_shorter_side_decides_how_much_is_done() {
    let mut samples = [1; 3];
    assert_eq!(decode_into(&[SILENCE, 0x80], &mut samples), 2);
    assert_eq!(samples, [0, 32124, 1]);
    let mut codes = [7; 1];
    assert_eq!(encode_into(&samples, &mut codes), 1);
    assert_eq!(codes, [SILENCE]);
}
