// SPDX-License-Identifier: GPL-2.0
/* See shim.h. Sorted as there; the comment says why Rust can't do it itself. */
#include <crypto/hash.h>
#include <linux/blkdev.h>
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/part_stat.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/tcp.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <uapi/linux/sched/types.h>

#include "shim.h"

/* Numbers that shim.rs and its users repeat, as macros don't reach bindings. */
static_assert(BLK_OPEN_READ == 1 && BLK_OPEN_WRITE == 2);
static_assert(MSG_PEEK == 2 && MSG_DONTWAIT == 0x40 && MSG_WAITALL == 0x100);
static_assert(MSG_NOSIGNAL == 0x4000 && MSG_MORE == 0x8000 && MSG_SPLICE_PAGES == 0x8000000);
static_assert(BIOSET_NEED_BVECS == 1 && BIO_MAX_VECS == 256);
static_assert(BLKDEV_ZERO_NOUNMAP == 1 && GENHD_FL_NO_PART == 4);
static_assert(BLK_FEAT_WRITE_CACHE == 1 && BLK_FEAT_FUA == 2 && BLK_FEAT_ROTATIONAL == 4);
static_assert(BLK_FEAT_IO_STAT == 1 << 4 && BLK_FEAT_STABLE_WRITES == 1 << 5);
static_assert(UMH_WAIT_PROC == 2 && CAP_NET_ADMIN == 12 && CAP_SYS_ADMIN == 21);
static_assert(PAGE_SIZE == 4096 && !IS_ENABLED(CONFIG_HIGHMEM));

/* Rust's module! has no version, no string parameters and no sysfs permissions. */
MODULE_VERSION("8.4.11");
MODULE_ALIAS_BLOCKDEV_MAJOR(147);
MODULE_ALIAS_GENL_FAMILY("drbd");

unsigned int tandem_minor_count = 32;
bool tandem_disable_sendpage;
bool tandem_allow_oos;
int tandem_proc_details;
int tandem_enable_faults;
int tandem_fault_rate;
int tandem_fault_count;
int tandem_fault_devs;
static char usermode_helper[80] = "/sbin/drbdadm";

module_param_named(minor_count, tandem_minor_count, uint, 0444);
MODULE_PARM_DESC(minor_count, "Approximate number of drbd devices (1-255)");
module_param_named(disable_sendpage, tandem_disable_sendpage, bool, 0644);
module_param_named(allow_oos, tandem_allow_oos, bool, 0);
MODULE_PARM_DESC(allow_oos, "DONT USE!");
module_param_named(proc_details, tandem_proc_details, int, 0644);
module_param_named(enable_faults, tandem_enable_faults, int, 0664);
MODULE_PARM_DESC(enable_faults, "Bit mask of the kinds of faults to simulate");
module_param_named(fault_rate, tandem_fault_rate, int, 0664);
MODULE_PARM_DESC(fault_rate, "How many of 100 operations fail");
module_param_named(fault_count, tandem_fault_count, int, 0664);
MODULE_PARM_DESC(fault_count, "Count of simulated faults");
module_param_named(fault_devs, tandem_fault_devs, int, 0644);
MODULE_PARM_DESC(fault_devs, "Bit mask of the minors to simulate faults on (0: all)");
module_param_string(usermode_helper, usermode_helper, sizeof(usermode_helper), 0644);

void tandem_usermode_helper(char *to, size_t size)
{
	kernel_param_lock(THIS_MODULE); /* inline; writers come from sysfs */
	strscpy(to, usermode_helper, size);
	kernel_param_unlock(THIS_MODULE);
}

/* A macro with casts. */
const gfp_t tandem_gfp_noio = GFP_NOIO;

/* alloc_page() is a macro. */
struct page *tandem_alloc_page(bool may_sleep)
{
	return alloc_page((may_sleep ? GFP_KERNEL : GFP_NOWAIT | __GFP_NOWARN) | __GFP_ZERO);
}

/* page_address() is a macro on most architectures. */
void *tandem_page_address(struct page *page)
{
	return page_address(page);
}

/* Inline, atomic read. */
int tandem_page_count(struct page *page)
{
	return page_count(page);
}

/* Inline. */
bool tandem_sendpage_ok(struct page *page)
{
	return sendpage_ok(page);
}

/* Inline; leaves the limits lock held for commit or cancel. */
struct queue_limits tandem_limits_start(struct request_queue *q)
{
	return queue_limits_start_update(q);
}

/* bindings hide the layout of struct request_queue's head (randomised parts). */
struct queue_limits *tandem_bdev_limits(struct block_device *bdev)
{
	return &bdev_get_queue(bdev)->limits;
}

/* Inline. */
bool tandem_bdev_read_only(struct block_device *bdev)
{
	return bdev_read_only(bdev);
}

/* Inline. */
bool tandem_bdev_rotational(struct block_device *bdev)
{
	return bdev_rot(bdev);
}

/* A macro over numbers of each CPU. */
u64 tandem_bdev_sectors_done(struct block_device *bdev)
{
	return part_stat_read_accum(bdev->bd_disk->part0, sectors);
}

/* Field of a struct that is reached through two more. */
const char *tandem_disk_name(struct block_device *bdev)
{
	return bdev->bd_disk->disk_name;
}

/* Inline. */
int tandem_bdev_partno(struct block_device *bdev)
{
	return bdev_partno(bdev);
}

/* Inline. */
void tandem_bio_inc_remaining(struct bio *bio)
{
	bio_inc_remaining(bio);
}

/* Inline. */
void tandem_bio_end_acct(struct bio *bio, unsigned long start)
{
	bio_end_io_acct(bio, start);
}

/* struct sock is opaque in bindings; so are all the functions on it below. */
void tandem_sk_set_rcv_timeout(struct socket *sock, long timeout)
{
	WRITE_ONCE(sock->sk->sk_rcvtimeo, timeout);
}

void tandem_sk_set_snd_timeout(struct socket *sock, long timeout)
{
	WRITE_ONCE(sock->sk->sk_sndtimeo, timeout);
}

/* Zero leaves the kernel's automatic size. */
void tandem_sk_set_buffers(struct socket *sock, int snd, int rcv)
{
	lock_sock(sock->sk);
	if (snd) {
		WRITE_ONCE(sock->sk->sk_sndbuf, snd);
		sock->sk->sk_userlocks |= SOCK_SNDBUF_LOCK;
	}
	if (rcv) {
		WRITE_ONCE(sock->sk->sk_rcvbuf, rcv);
		sock->sk->sk_userlocks |= SOCK_RCVBUF_LOCK;
	}
	release_sock(sock->sk);
}

void tandem_sk_set_io(struct socket *sock, u32 priority)
{
	sock->sk->sk_allocation = GFP_NOIO;
	sock->sk->sk_use_task_frag = false;
	WRITE_ONCE(sock->sk->sk_priority, priority);
}

void tandem_sk_set_memalloc(struct socket *sock, bool on)
{
	if (on)
		sk_set_memalloc(sock->sk);
	else
		sk_clear_memalloc(sock->sk);
}

void tandem_sk_set_nodelay(struct socket *sock)
{
	tcp_sock_set_nodelay(sock->sk);
}

void tandem_sk_set_cork(struct socket *sock, bool on)
{
	tcp_sock_set_cork(sock->sk, on);
}

int tandem_sk_room(struct socket *sock)
{
	return sk_stream_wspace(sock->sk);
}

void tandem_sk_set_reuseaddr(struct socket *sock)
{
	sock->sk->sk_reuse = SK_CAN_REUSE;
}

void tandem_sk_set_keepalive(struct socket *sock, int idle, int interval, int count)
{
	sock_set_keepalive(sock->sk);
	tcp_sock_set_keepidle(sock->sk, idle);
	tcp_sock_set_keepintvl(sock->sk, interval);
	tcp_sock_set_keepcnt(sock->sk, count);
}

int tandem_sk_queued(struct socket *sock)
{
	return READ_ONCE(sock->sk->sk_wmem_queued);
}

int tandem_sk_sndbuf(struct socket *sock)
{
	return READ_ONCE(sock->sk->sk_sndbuf);
}

/* As SIOCINQ, for whoever looks from outside. */
unsigned int tandem_sk_unread(struct socket *sock)
{
	struct tcp_sock *tp = tcp_sk(sock->sk);

	return READ_ONCE(tp->rcv_nxt) - READ_ONCE(tp->copied_seq);
}

/* As SIOCOUTQ, for whoever looks from outside. */
unsigned int tandem_sk_unacked(struct socket *sock)
{
	struct tcp_sock *tp = tcp_sk(sock->sk);

	return READ_ONCE(tp->write_seq) - READ_ONCE(tp->snd_una);
}

bool tandem_sk_established(struct socket *sock)
{
	return READ_ONCE(sock->sk->sk_state) == TCP_ESTABLISHED;
}

/* The kernel refuses all attributes of commands that have no policy at all. */
const struct nla_policy tandem_genl_no_policy[1];

/* Inline. */
void *tandem_skb_end(struct sk_buff *skb)
{
	return skb_tail_pointer(skb);
}

/* Inline. */
void tandem_skb_cut(struct sk_buff *skb, void *mark)
{
	nlmsg_trim(skb, mark);
}

/* Inline. */
void tandem_genl_end(struct sk_buff *skb, void *header)
{
	genlmsg_end(skb, header);
}

/* Inline. */
void tandem_genl_cancel(struct sk_buff *skb, void *header)
{
	genlmsg_cancel(skb, header);
}

/* NETLINK_CB is a macro over an opaque area of the skb. */
void *tandem_genl_put_multi(struct sk_buff *skb, struct netlink_callback *cb,
			    const struct genl_family *family, u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   family, NLM_F_MULTI, cmd);
}

/* Inline. */
int tandem_genl_reply(struct sk_buff *skb, struct genl_info *info)
{
	return genlmsg_reply(skb, info);
}

/* Inline. */
const struct genl_info *tandem_genl_dump_info(struct netlink_callback *cb)
{
	return genl_info_dump(cb);
}

/* Bit fields. */
void tandem_genl_flags(struct genl_family *family, bool netnsok, bool parallel)
{
	family->netnsok = netnsok;
	family->parallel_ops = parallel;
}

/* Inline. */
u64 tandem_jiffies_ms(void)
{
	return jiffies64_to_msecs(get_jiffies_64());
}

/* jiffies is a variable of the linker script. */
unsigned int tandem_ms_since(unsigned long start)
{
	return jiffies_to_msecs(jiffies - start);
}

/* Inline, and HZ is not in bindings as a number of use. */
unsigned long tandem_ms_to_jiffies(unsigned int ms)
{
	return msecs_to_jiffies(ms);
}

/* current is a macro. */
void tandem_thread_priority(bool fifo_low)
{
	if (fifo_low)
		sched_set_fifo_low(current);
	else
		sched_set_normal(current, 0);
}

/* sched_setattr_nocheck() is not in bindings. */
void tandem_thread_batch(void)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_BATCH,
	};

	WARN_ON_ONCE(sched_setattr_nocheck(current, &attr));
}

/* Masks are macros; those of processors that may come are a variable behind one. */
int tandem_thread_cpus(struct task_struct *task, u64 low, u64 high)
{
	cpumask_var_t mask;
	unsigned int cpu;
	int err;

	if (!low && !high)
		return set_cpus_allowed_ptr(task, cpu_possible_mask);
	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		if (cpu < 128 && ((cpu < 64 ? low : high) >> (cpu % 64)) & 1)
			cpumask_set_cpu(cpu, mask);
	err = set_cpus_allowed_ptr(task, mask);
	free_cpumask_var(mask);
	return err;
}

/* current_stack_pointer is a register. */
unsigned long tandem_stack_left(void)
{
	return current_stack_pointer - (unsigned long)task_stack_page(current);
}

/* current is a macro. */
struct task_struct *tandem_current(void)
{
	return current;
}

/* current is a macro. */
bool tandem_is_current(struct task_struct *task)
{
	return task == current;
}

/* current is a macro. */
bool tandem_fatal_signal(void)
{
	return fatal_signal_pending(current);
}

/* Macro. */
bool tandem_may_sleep(void)
{
	return preemptible();
}

/* Inline, as current is a macro. */
unsigned int tandem_no_io_save(void)
{
	return memalloc_noio_save();
}

/* Inline, as current is a macro. */
void tandem_no_io_restore(unsigned int former)
{
	memalloc_noio_restore(former);
}

/* <crypto/hash.h> is not in bindings; a desc is a blob of tandem_shash_desc_size(). */
void tandem_shash_free(struct crypto_shash *tfm)
{
	crypto_free_shash(tfm);
}

unsigned int tandem_shash_desc_size(struct crypto_shash *tfm)
{
	return sizeof(struct shash_desc) + crypto_shash_descsize(tfm);
}

unsigned int tandem_shash_digest_size(struct crypto_shash *tfm)
{
	return crypto_shash_digestsize(tfm);
}

int tandem_shash_init(void *desc, struct crypto_shash *tfm)
{
	((struct shash_desc *)desc)->tfm = tfm;
	return crypto_shash_init(desc);
}

int tandem_shash_update(void *desc, const u8 *data, unsigned int len)
{
	return crypto_shash_update(desc, data, len);
}

int tandem_shash_final(void *desc, u8 *out)
{
	return crypto_shash_final(desc, out);
}
