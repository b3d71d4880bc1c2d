// SPDX-License-Identifier: GPL-2.0

//! The cases: one behaviour per file, named by it. A new file is one more name here.

use crate::case::Case;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// All of them.
        pub(crate) const CASES: &[Case] = &[$($name::CASE),*];

        #[test]
        fn a_case_is_named_as_its_file() {
            $(assert_eq!($name::CASE.name, stringify!($name));)*
        }
    };
}

cases! {
    a_node_needs_only_our_tool,
    bad_packet_ends_only_its_connection,
    bitmap_without_code_resyncs_the_same,
    changed_timeouts_hold_at_once,
    commands_are_answered_alike,
    commands_never_hang,
    commands_survive_failed_allocations,
    connected_nodes_tell_the_same,
    corrupt_data_ends_the_connection,
    csums_after_crash_only,
    cut_link_and_resync,
    damaged_superblock_is_refused,
    data_integrity_covers_all_data,
    data_integrity_needs_the_same_algorithm,
    debugfs_tells_what_drbds_does,
    detach_by_force_does_not_wait_for_the_disk,
    discards_reach_both_disks,
    diskless_primary_works_through_the_peer,
    equal_blocks_are_not_resynced,
    failed_disk_comes_back_with_what_it_missed,
    failover_keeps_fsynced_files,
    fence_peer_exit_codes_are_obeyed,
    fence_peer_outdates_a_lost_peer,
    flushes_reach_both_disks,
    fresh_nodes_agree_on_the_smaller_size,
    hung_disk_is_given_up_after_its_timeout,
    initial_sync_from_a,
    initial_sync_from_b,
    initial_sync_is_skipped,
    invalidate_remote_copies_everything,
    io_without_data_fails_or_waits,
    ipv6_carries_a_connection,
    largest_volume_is_attached,
    local_io_error_calls_its_handler,
    log_changes_its_shape_online,
    login_lets_the_right_peer_in,
    login_needs_a_known_algorithm,
    login_refuses_a_peer_without_login,
    login_refuses_a_reflected_challenge,
    login_refuses_a_wrong_secret,
    login_waits_for_the_same_algorithm,
    many_resources_leave_nothing,
    metadata_error_detaches,
    metadata_layouts_are_attached,
    mounted_lower_device_is_refused,
    node_changes_its_driver_and_back,
    old_peers_are_spoken_to_in_their_version,
    option_out_of_range_is_refused,
    options_are_taken_alike,
    outdated_data_is_not_promoted,
    paused_resync_waits_for_both_nodes,
    peer_of_smaller_size_is_refused,
    peer_that_stops_reading_is_given_up,
    power_cut_before_the_metadata_has_moved,
    proc_tells_details,
    protocol_is_switched_online,
    read_error_is_served_by_the_peer,
    reads_are_balanced,
    recorded_run_replays_in_userspace,
    replicated_write_is_on_both_disks,
    reports_do_not_wait_for_a_hanging_disk,
    resize_is_refused,
    resync_after_return,
    resync_keeps_to_its_rate,
    resync_waits_for_another_device,
    secondary_refuses_open,
    silent_peer_is_given_up,
    slow_link_leaves_the_peer_behind,
    split_brain_is_reported_and_resolved_by_hand,
    split_brain_is_resolved_by_policy,
    suspended_io_waits_for_resume_io,
    tentative_connect_tells_what_would_happen,
    the_ocf_agent_runs_on_our_tool,
    thin_resync_discards_zeroes,
    threads_keep_to_the_cpu_mask,
    too_small_lower_device_is_refused,
    two_primaries_write_the_same_blocks,
    unload_leaves_nothing,
    verify_finds_what_differs,
    verify_needs_an_algorithm,
    verify_stops_at_the_stop_sector,
    volume_grows_online,
    volumes_of_one_resource_are_synced_alike,
    volumes_sync_in_both_directions,
    write_ordering_follows_the_options,
}
