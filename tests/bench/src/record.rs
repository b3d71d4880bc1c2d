// SPDX-License-Identifier: GPL-2.0

//! One result, and how it is read from what the guest left.

use anyhow::{anyhow, Context, Result};
use serde::Serialize;
use serde_json::Value;

use crate::{job::Job, Clock, Module, Setup};

/// One run of one job: an object of `target/bench.json`. What was not measured is null.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) job: &'static str,
    pub(crate) setup: Setup,
    pub(crate) clock: Clock,
    pub(crate) module: Module,
    pub(crate) protocol: Option<String>,
    pub(crate) seed: u32,
    pub(crate) iops: Option<f64>,
    pub(crate) instructions_per_io: Option<f64>,
    pub(crate) mib_per_s: Option<f64>,
    pub(crate) p99_us: Option<f64>,
}

/// What was measured, as far as a clock gives it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    ios: f64,
    seconds: f64,
    p99_us: Option<f64>,
}

impl Figures {
    /// Reads fio's report.
    pub(crate) fn from_fio(job: &Job, text: &str) -> Result<Self> {
        let report: Value = serde_json::from_str(text).context("fio's report is no JSON")?;
        let side = &report["jobs"][0][if job.reads() { "read" } else { "write" }];
        let number = |value: &Value, what: &str| {
            value
                .as_f64()
                .ok_or_else(|| anyhow!("fio's report of {} lacks {what}", job.name))
        };
        if report["jobs"][0]["error"].as_i64() != Some(0) {
            return Err(anyhow!("fio met an error in {}", job.name));
        }
        Ok(Self {
            ios: number(&side["total_ios"], "total_ios")?,
            seconds: number(&side["runtime"], "runtime")? / 1e3,
            p99_us: side["clat_ns"]["percentile"]["99.000000"]
                .as_f64()
                .map(|nanoseconds| nanoseconds / 1e3),
        })
    }

    /// Reads the kernel's messages: from the source's state SyncSource to its end. Both modules
    /// tell changes of states in the same words.
    pub(crate) fn from_resync(log: &str, blocks: f64) -> Result<Self> {
        let time = |mark: &str| {
            log.lines()
                .find(|line| line.contains("drbd0: ") && line.contains(mark))
                .and_then(|line| line.trim_start_matches('[').split(']').next())
                .and_then(|stamp| stamp.trim().parse::<f64>().ok())
                .ok_or_else(|| anyhow!("the kernel's messages lack '{mark}':\n{log}"))
        };
        Ok(Self {
            ios: blocks,
            seconds: time("conn( SyncSource -> Connected )")? - time("-> SyncSource )")?,
            p99_us: None,
        })
    }

    /// The run's record.
    pub(crate) fn record(
        self,
        job: &Job,
        (setup, clock): (Setup, Clock),
        module: Module,
        protocol: &str,
        seed: u32,
    ) -> Record {
        let timed = clock == Clock::Time;
        let rate = self.ios / self.seconds;
        Record {
            job: job.name,
            setup,
            clock,
            module,
            protocol: (module != Module::Bare).then(|| protocol.into()),
            seed,
            iops: (timed && !job.is_resync()).then_some(rate),
            // With that clock, a nanosecond is an instruction.
            instructions_per_io: (!timed).then_some(self.seconds * 1e9 / self.ios),
            mib_per_s: timed.then_some(rate * f64::from(job.block) / f64::from(1 << 20)),
            p99_us: self.p99_us.filter(|_| timed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JOBS;

    fn job(name: &str) -> &'static Job {
        JOBS.iter().find(|job| job.name == name).unwrap()
    }

    #[test]
    fn resync_lasts_from_sync_source_to_connected_of_the_source() {
        let log = "[  1.5] drbd r1/0 drbd1: conn( WFBitMapS -> SyncSource ) \n\
                   [  2.0] drbd r0/0 drbd0: conn( WFBitMapS -> SyncSource ) \n\
                   [  4.0] drbd r0/0 drbd0: conn( SyncSource -> Connected ) pdsk( a -> b ) \n";
        let figures = Figures::from_resync(log, 2048.0).unwrap();
        let record = figures.record(
            job("resync"),
            (Setup::Pair, Clock::Time),
            Module::Drbd,
            "C",
            1,
        );
        assert_eq!(record.mib_per_s, Some(4.0));
        assert_eq!(record.iops, None);
        assert!(Figures::from_resync("", 1.0).is_err());
    }

    #[test]
    fn fio_reports_count_by_the_side_that_the_job_uses() {
        let text = r#"{"jobs":[{"error":0,"read":{"total_ios":3000,"runtime":1500,
            "clat_ns":{"percentile":{"99.000000":2500}}},"write":{}}]}"#;
        let read = job("randread-4k-qd32");
        let record = Figures::from_fio(read, text).unwrap().record(
            read,
            (Setup::Pair, Clock::Icount),
            Module::Bare,
            "C",
            2,
        );
        assert_eq!(record.instructions_per_io, Some(500_000.0));
        assert_eq!((record.iops, record.p99_us), (None, None));
        assert!(Figures::from_fio(job("randwrite-4k-qd1"), text).is_err());
    }

    #[test]
    fn objects_have_exactly_the_keys_of_the_format() {
        let record = Figures::default().record(
            job("resync"),
            (Setup::Pair, Clock::Time),
            Module::Bare,
            "C",
            1,
        );
        let value = serde_json::to_value(record).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            keys.join(" "),
            "clock instructions_per_io iops job mib_per_s module p99_us protocol seed setup"
        );
        assert_eq!(value["clock"], "time");
        assert_eq!(value["setup"], "pair");
        assert_eq!(value["module"], "bare");
    }
}
