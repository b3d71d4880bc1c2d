// SPDX-License-Identifier: GPL-2.0

//! How a job ended, read from what the guest left.

use anyhow::{anyhow, bail, Context, Result};
use serde_json::Value;

use crate::job::{Job, Kind, Side, Span};

/// What was measured, as far as a clock gives it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) ios: f64,
    pub(crate) seconds: f64,
    /// Latencies in microseconds of the guest's time.
    pub(crate) p99_us: Option<f64>,
    pub(crate) p99_9_us: Option<f64>,
}

impl Outcome {
    /// Reads fio's report.
    pub(crate) fn from_fio(job: &Job, text: &str) -> Result<Self> {
        let report: Value = serde_json::from_str(text).context("fio's report is no JSON")?;
        let report = &report["jobs"][0];
        if report["error"].as_i64() != Some(0) {
            bail!("fio met an error in {}", job.name);
        }
        let side = match job.kind {
            Kind::Fio(_, side) => side,
            _ => Side::Write,
        };
        let (counted, latencies) = match side {
            Side::Write => (&["write"][..], &report["write"]["clat_ns"]),
            Side::Read => (&["read"][..], &report["read"]["clat_ns"]),
            Side::Mixed => (&["read", "write"][..], &report["write"]["clat_ns"]),
            Side::Sync => (&["write"][..], &report["sync"]["lat_ns"]),
        };
        let (mut ios, mut milliseconds) = (0.0, 0.0_f64);
        for side in counted {
            let number = |what: &str| {
                report[side][what]
                    .as_f64()
                    .ok_or_else(|| anyhow!("fio's report of {} lacks {what}", job.name))
            };
            ios += number("total_ios")?;
            milliseconds = milliseconds.max(number("runtime")?);
        }
        let percentile = |name: &str| {
            let nanoseconds = latencies["percentile"][name].as_f64();
            nanoseconds.map(|nanoseconds| nanoseconds / 1e3)
        };
        Ok(Self {
            ios,
            seconds: milliseconds / 1e3,
            p99_us: percentile("99.000000"),
            p99_9_us: percentile("99.900000"),
        })
    }

    /// Reads the kernel's messages of volume 0: how long that took, in which so many blocks were
    /// handled. Both modules tell changes of states in the same words.
    pub(crate) fn from_log(log: &str, span: Span, blocks: f64) -> Result<Self> {
        let time = |mark: &str| {
            log.lines()
                .find(|line| line.contains("drbd0: ") && line.contains(mark))
                .and_then(|line| line.trim_start_matches('[').split(']').next())
                .and_then(|stamp| stamp.trim().parse::<f64>().ok())
                .ok_or_else(|| anyhow!("the kernel's messages lack '{mark}':\n{log}"))
        };
        Ok(Self {
            ios: blocks,
            seconds: time(span.end)? - time(span.begin)?,
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str) -> &'static Job {
        Job::named(name).unwrap()
    }

    #[test]
    fn resync_lasts_from_sync_source_to_connected_of_the_source() {
        let log = "[  1.5] drbd r1/0 drbd1: conn( WFBitMapS -> SyncSource ) \n\
                   [  2.0] drbd r0/0 drbd0: conn( WFBitMapS -> SyncSource ) \n\
                   [  4.0] drbd r0/0 drbd0: conn( SyncSource -> Connected ) pdsk( a -> b ) \n";
        let Kind::Passage(_, span, _) = job("resync").kind else {
            panic!("a resync is told by messages");
        };
        let outcome = Outcome::from_log(log, span, 2048.0).unwrap();
        assert_eq!((outcome.ios, outcome.seconds), (2048.0, 2.0));
        assert!(Outcome::from_log("", span, 1.0).is_err());
    }

    #[test]
    fn fio_reports_count_by_the_side_that_the_job_uses() {
        let text = r#"{"jobs":[{"error":0,"read":{"total_ios":3000,"runtime":1500,
            "clat_ns":{"percentile":{"99.000000":2500,"99.900000":7000}}},"write":{}}]}"#;
        let outcome = Outcome::from_fio(job("randread-4k-qd32"), text).unwrap();
        assert_eq!((outcome.ios, outcome.seconds), (3000.0, 1.5));
        assert_eq!((outcome.p99_us, outcome.p99_9_us), (Some(2.5), Some(7.0)));
        assert!(Outcome::from_fio(job("randwrite-4k-qd1"), text).is_err());
    }

    #[test]
    fn mixed_jobs_count_both_sides_and_tell_the_latency_of_writes() {
        let text = r#"{"jobs":[{"error":0,"read":{"total_ios":7,"runtime":1000,
            "clat_ns":{"percentile":{"99.000000":1000}}},"write":{"total_ios":3,"runtime":1001,
            "clat_ns":{"percentile":{"99.000000":2000}}}}]}"#;
        let outcome = Outcome::from_fio(job("mixed-4k-qd32"), text).unwrap();
        assert_eq!((outcome.ios, outcome.seconds), (10.0, 1.001));
        assert_eq!(outcome.p99_us, Some(2.0));
    }
}
