//! How loud a frame is, in decibels below full scale (a sample of 32768).

/// What silence measures: the quietest that 16 bits can be, rounded.
pub const FLOOR_DBFS: f32 = -96.0;

/// Loudness of a run of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Root of the mean square. A full-scale sine has -3 dBFS.
    pub rms_dbfs: f32,
    /// The largest magnitude.
    pub peak_dbfs: f32,
}

impl Level {
    /// Measures samples; none at all are as loud as silence.
    pub fn of(samples: &[i16]) -> Self {
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or_default();
        Self { rms_dbfs: rms_dbfs(samples), peak_dbfs: decibels(f32::from(peak)) }
    }
}

/// The root of the mean square alone.
#[expect(clippy::cast_precision_loss, reason = "a level needs no 24 bits")]
pub fn rms_dbfs(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return FLOOR_DBFS;
    }
    let squares: i64 = samples.iter().map(|sample| i64::from(i32::from(*sample) * i32::from(*sample))).sum();
    decibels((squares as f32 / samples.len() as f32).sqrt())
}

fn decibels(magnitude: f32) -> f32 {
    if magnitude < 1.0 { FLOOR_DBFS } else { (20.0 * (magnitude / 32768.0).log10()).max(FLOOR_DBFS) }
}

#[cfg(test)]
mod tests {
    use super::{FLOOR_DBFS, Level};

    #[test]
    fn levels_are_what_a_meter_shows() {
        assert_eq!(Level::of(&[]), Level { rms_dbfs: FLOOR_DBFS, peak_dbfs: FLOOR_DBFS });
        assert_eq!(Level::of(&[0; 160]), Level { rms_dbfs: FLOOR_DBFS, peak_dbfs: FLOOR_DBFS });
        assert_eq!(Level::of(&[i16::MIN; 160]), Level { rms_dbfs: 0.0, peak_dbfs: 0.0 });
        let half = Level::of(&[16384, -16384]);
        assert!((half.rms_dbfs + 6.02).abs() < 0.01 && (half.peak_dbfs + 6.02).abs() < 0.01, "{half:?}");
        let one_click = Level::of(&[0, 0, 0, 32767]);
        assert!((one_click.rms_dbfs + 6.02).abs() < 0.01 && one_click.peak_dbfs > -0.01, "{one_click:?}");
    }
}
