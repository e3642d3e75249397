// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * A VFIO device whose whole purpose is to be migrated: a mediated device with a state of 4 MiB to 4 GiB, every
 * migration feature of the uAPI, and a switch for everything that can go wrong. README.md beside this file
 * describes the attributes, the stream and where the device deliberately differs from real ones.
 *
 * Locks, in the order in which they are taken:
 *   state_mutex  the migration state and the arcs; held while an arc is delayed
 *   lock         contents, session, faults, DMA log; never held while something is delayed
 *   reset_mutex  only deferred_reset
 */
#include <linux/anon_inodes.h>
#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/errname.h>
#include <linux/fs.h>
#include <linux/gcd.h>
#include <linux/hrtimer.h>
#include <linux/interval_tree.h>
#include <linux/iova_bitmap.h>
#include <linux/math64.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/pci_regs.h>
#include <linux/platform_device.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>
#include <linux/vfio.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#define TD_NAME			"vfio4j_testdev"
#define TD_BLOCK		SZ_64K		/* what is dirtied and tracked */
#define TD_CHUNK		SZ_1M		/* what is contiguous in memory */
#define TD_RECORD_BLOCKS	64		/* a record carries 4 MiB at most */
#define TD_MIN_SIZE		SZ_4M
#define TD_MAX_SIZE		SZ_4G
#define TD_LOG_SIZE		SZ_64K
#define TD_CONFIG_SIZE		256
#define TD_REGION_SHIFT		40
#define TD_STATES		(VFIO_DEVICE_STATE_PRE_COPY_P2P + 1)

/* The stream. Every number is little-endian. */
#define TD_STREAM_MAGIC		0x7665646a34666976ULL	/* "vif4jdev" */
#define TD_STREAM_VERSION	1
#define TD_RECORD_DATA		1
#define TD_RECORD_END		2

struct td_stream_header {
	__le64 magic;
	__le32 version;
	__le32 header_size;
	__le64 state_size;
} __packed;

struct td_stream_record {
	__le32 type;
	__le32 reserved;
	__le64 offset;	/* END: the sum of the lengths of all DATA records */
	__le64 length;
} __packed;

struct td_stream_end {
	__le64 a;
	__le64 b;
} __packed;

static const char * const td_state_names[TD_STATES] = {
	[VFIO_DEVICE_STATE_ERROR] = "ERROR",
	[VFIO_DEVICE_STATE_STOP] = "STOP",
	[VFIO_DEVICE_STATE_RUNNING] = "RUNNING",
	[VFIO_DEVICE_STATE_STOP_COPY] = "STOP_COPY",
	[VFIO_DEVICE_STATE_RESUMING] = "RESUMING",
	[VFIO_DEVICE_STATE_RUNNING_P2P] = "RUNNING_P2P",
	[VFIO_DEVICE_STATE_PRE_COPY] = "PRE_COPY",
	[VFIO_DEVICE_STATE_PRE_COPY_P2P] = "PRE_COPY_P2P",
};

/*
 * A checksum over a stream that comes in pieces of any length. Two running sums over 64-bit words: one add each
 * per word is as fast as the memory, any single altered word is noticed, and so is a changed order.
 */
struct td_sum {
	u64 a;
	u64 b;
	u64 word;		/* the bytes that do not make up a word yet */
	unsigned int filled;	/* how many they are */
};

/* A failure that is asked for: when "offset" is reached, "left" times (0 = always) */
struct td_fault {
	u64 offset;
	u32 left;
	u16 error;		/* 0 = none */
	bool enter_error;	/* arcs only: the device goes to ERROR */
};

struct td_save {
	u8 meta[64];		/* headers on their way out */
	unsigned int meta_pos;
	unsigned int meta_len;
	u64 data_pos;		/* contents on their way out */
	u64 data_left;
	bool data_initial;	/* they count as initial_bytes */
	unsigned long cursor;	/* the block to look for work from */
	unsigned long initial;	/* blocks set in "fresh" */
	unsigned long pending;	/* blocks set in "todo" */
	u64 carried;
	bool end_sent;
	bool reinit;		/* not reported yet */
	struct td_sum sum;
};

struct td_load {
	u8 meta[64];
	unsigned int meta_pos;
	unsigned int meta_len;	/* what is being collected: a header, a record or an end */
	struct td_stream_record record;
	u64 data_pos;
	u64 data_left;
	unsigned long missing;	/* blocks not seen yet */
	u64 carried;
	bool has_header;
	bool in_end;
	bool complete;
	bool bad;
	struct td_sum sum;
};

struct td_log_range {
	unsigned long start;
	unsigned long last;
};

struct td_device {
	struct vfio_device vdev;
	struct mutex state_mutex;
	struct mutex lock;
	struct mutex reset_mutex;
	bool deferred_reset;
	bool open;
	enum vfio_device_mig_state state;

	/* contents */
	void **chunks;
	u64 size;
	unsigned long blocks;
	u64 seed;

	/* dirtying: caught up with the clock whenever somebody looks */
	u64 dirty_rate;
	u64 dirty_clock;	/* when it was caught up, ns */
	u64 dirty_ns;		/* time spent running since the rate was set */
	u64 dirty_done;		/* blocks dirtied in that time */
	unsigned long dirty_cursor;
	unsigned long dirty_stride;
	u64 dirty_random;

	/* session: its number is what ties a file to it; 0 = none */
	u64 session;
	u64 last_session;
	u64 session_bytes;
	unsigned long *todo;	/* saving: blocks to send; loading: blocks seen */
	unsigned long *fresh;	/* saving: those of them that are initial data */
	struct td_save save;
	struct td_load load;

	/* knobs */
	u64 initial_bytes;
	bool drained_zero;
	u64 short_read;
	u64 short_write;
	u32 delay_read;
	u32 delay_write;
	u32 delay_arc[TD_STATES][TD_STATES];
	struct td_fault fail_arc[TD_STATES][TD_STATES];
	struct td_fault fail_read;
	struct td_fault fail_write;
	struct td_fault fail_reset;
	u16 data_size_errno;

	/* DMA logging: one entry per dirty page, so that any range costs nothing */
	bool logging;
	struct td_log_range *log_ranges;
	u32 log_nranges;
	u32 dma_max_ranges;
	struct xarray log_pages;

	u8 config[TD_CONFIG_SIZE];

	char *events;
	size_t events_len;
};

struct td_file {
	struct td_device *td;
	u64 session;
};

struct td_type {
	struct mdev_type type;
	unsigned int migration_flags;
};

static struct td_type td_types[] = {
	{
		.type.sysfs_name = "full",
		.type.pretty_name = "STOP_COPY, P2P and PRE_COPY",
		.migration_flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY,
	},
	{
		.type.sysfs_name = "nop2p",
		.type.pretty_name = "STOP_COPY and PRE_COPY",
		.migration_flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY,
	},
	{
		.type.sysfs_name = "noprecopy",
		.type.pretty_name = "STOP_COPY and P2P",
		.migration_flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P,
	},
	{
		.type.sysfs_name = "minimal",
		.type.pretty_name = "STOP_COPY only",
		.migration_flags = VFIO_MIGRATION_STOP_COPY,
	},
};

static struct mdev_type *td_mdev_types[] = {
	&td_types[0].type,
	&td_types[1].type,
	&td_types[2].type,
	&td_types[3].type,
};

static struct platform_device *td_platform_device;
static struct mdev_parent td_parent;

static struct td_device *to_td(struct vfio_device *vdev)
{
	return container_of(vdev, struct td_device, vdev);
}

static __printf(2, 3) void td_event(struct td_device *td, const char *format, ...)
{
	va_list args;

	lockdep_assert_held(&td->lock);
	/* The first events tell what happened; a full log stays as it is until it is cleared. */
	if (td->events_len > TD_LOG_SIZE - 128)
		return;
	td->events_len += scnprintf(td->events + td->events_len, TD_LOG_SIZE - td->events_len, "%llu ",
				    ktime_get_ns());
	va_start(args, format);
	td->events_len += vscnprintf(td->events + td->events_len, TD_LOG_SIZE - td->events_len, format, args);
	va_end(args);
	td->events_len += scnprintf(td->events + td->events_len, TD_LOG_SIZE - td->events_len, "\n");
}

/* Returns the error to answer with at "position", or 0, and counts it. */
static int td_fault_hits(struct td_fault *fault, u64 position)
{
	int error = -fault->error;

	if (!fault->error || position != fault->offset)
		return 0;
	if (fault->left && !--fault->left)
		fault->error = 0;
	return error;
}

/* How many of "length" bytes may pass before the fault is due */
static size_t td_fault_limit(const struct td_fault *fault, u64 position, size_t length)
{
	if (fault->error && position < fault->offset)
		return min_t(u64, length, fault->offset - position);
	return length;
}

/* ---- checksum ---- */

static void td_sum_add(struct td_sum *sum, const void *data, size_t length)
{
	const u8 *p = data;
	u64 a, b;

	while (length && sum->filled) {
		sum->word |= (u64)*p++ << (8 * sum->filled);
		length--;
		if (++sum->filled == sizeof(u64)) {
			sum->a += sum->word;
			sum->b += sum->a;
			sum->word = 0;
			sum->filled = 0;
		}
	}
	a = sum->a;
	b = sum->b;
	for (; length >= sizeof(u64); length -= sizeof(u64), p += sizeof(u64)) {
		a += get_unaligned_le64(p);
		b += a;
	}
	sum->a = a;
	sum->b = b;
	for (; length; length--)
		sum->word |= (u64)*p++ << (8 * sum->filled++);
}

/* Counts the last, incomplete word as if zeros followed. */
static void td_sum_end(const struct td_sum *sum, struct td_stream_end *end)
{
	u64 a = sum->a + sum->word;

	end->a = cpu_to_le64(a);
	end->b = cpu_to_le64(sum->filled ? sum->b + a : sum->b);
}

/* ---- contents ---- */

static u64 td_mix(u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static void *td_at(struct td_device *td, u64 position)
{
	return td->chunks[position / TD_CHUNK] + position % TD_CHUNK;
}

static void td_free_contents(void **chunks, u64 size)
{
	u64 i;

	for (i = 0; chunks && i < size / TD_CHUNK; i++)
		free_pages((unsigned long)chunks[i], get_order(TD_CHUNK));
	kvfree(chunks);
}

static void td_fill(struct td_device *td)
{
	u64 counter = td->seed;
	u64 i, *word;

	for (i = 0; i < td->size / TD_CHUNK; i++) {
		for (word = td->chunks[i]; word < (u64 *)(td->chunks[i] + TD_CHUNK); word++) {
			counter += 0x9e3779b97f4a7c15ULL;
			*word = td_mix(counter);
		}
		cond_resched();
	}
	td->dirty_random = counter;
}

/* Gives the device another size. On failure it keeps the one that it has. */
static int td_resize(struct td_device *td, u64 size)
{
	unsigned long blocks = size / TD_BLOCK;
	unsigned long *todo = bitmap_zalloc(blocks, GFP_KERNEL);
	unsigned long *fresh = bitmap_zalloc(blocks, GFP_KERNEL);
	void **chunks = kvcalloc(size / TD_CHUNK, sizeof(*chunks), GFP_KERNEL);
	u64 i;

	if (!todo || !fresh || !chunks)
		goto no_memory;
	for (i = 0; i < size / TD_CHUNK; i++) {
		chunks[i] = (void *)__get_free_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL,
						     get_order(TD_CHUNK));
		if (!chunks[i])
			goto no_memory;
	}
	bitmap_free(td->todo);
	bitmap_free(td->fresh);
	td_free_contents(td->chunks, td->size);
	td->todo = todo;
	td->fresh = fresh;
	td->chunks = chunks;
	td->size = size;
	td->blocks = blocks;
	/* Steps of about 0.62 of the whole spread the dirty blocks evenly and visit each once before any twice. */
	td->dirty_stride = blocks * 618 / 1000;
	while (gcd(td->dirty_stride, blocks) != 1)
		td->dirty_stride++;
	td->dirty_cursor = 0;
	td_fill(td);
	return 0;

no_memory:
	bitmap_free(todo);
	bitmap_free(fresh);
	td_free_contents(chunks, size);
	return -ENOMEM;
}

static u64 td_digest(struct td_device *td)
{
	u64 lanes[4] = { td->size, 1, 2, 3 };
	const u64 *word, *end;
	u64 i;

	for (i = 0; i < td->size / TD_CHUNK; i++) {
		end = td->chunks[i] + TD_CHUNK;
		for (word = td->chunks[i]; word < end; word += 4) {
			lanes[0] = (lanes[0] ^ word[0]) * 0x9e3779b185ebca87ULL;
			lanes[1] = (lanes[1] ^ word[1]) * 0x9e3779b185ebca87ULL;
			lanes[2] = (lanes[2] ^ word[2]) * 0x9e3779b185ebca87ULL;
			lanes[3] = (lanes[3] ^ word[3]) * 0x9e3779b185ebca87ULL;
			/* A multiplication moves differences up only: bring them down again. */
			lanes[0] ^= lanes[0] >> 32;
			lanes[1] ^= lanes[1] >> 32;
			lanes[2] ^= lanes[2] >> 32;
			lanes[3] ^= lanes[3] >> 32;
		}
		cond_resched();
	}
	return td_mix(td_mix(td_mix(td_mix(lanes[0]) + lanes[1]) + lanes[2]) + lanes[3]);
}

static bool td_state_runs(enum vfio_device_mig_state state)
{
	return state == VFIO_DEVICE_STATE_RUNNING || state == VFIO_DEVICE_STATE_RUNNING_P2P ||
	       state == VFIO_DEVICE_STATE_PRE_COPY || state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

static bool td_state_precopies(enum vfio_device_mig_state state)
{
	return state == VFIO_DEVICE_STATE_PRE_COPY || state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

static bool td_state_saves(enum vfio_device_mig_state state)
{
	return state == VFIO_DEVICE_STATE_STOP_COPY || td_state_precopies(state);
}

/* Changes one word in every page of a block: enough to be another content, and cheap. */
static void td_touch(struct td_device *td, unsigned long block)
{
	u64 position = (u64)block * TD_BLOCK;
	u64 end = position + TD_BLOCK;

	for (; position < end; position += PAGE_SIZE) {
		td->dirty_random = td_mix(td->dirty_random + 0x9e3779b97f4a7c15ULL);
		*(u64 *)td_at(td, position + (td->dirty_random & (PAGE_SIZE - sizeof(u64)))) ^= td->dirty_random | 1;
	}
	if (td_state_saves(td->state) && !__test_and_set_bit(block, td->todo))
		td->save.pending++;
}

/*
 * Does the dirtying that is due since the last look. Done at every entry instead of by a timer: nobody can tell the
 * difference, no time is spent while nobody looks, and the count is exact.
 */
static void td_catch_up(struct td_device *td)
{
	u64 now = ktime_get_ns();
	u64 due;

	lockdep_assert_held(&td->lock);
	if (td->open && td->dirty_rate && td_state_runs(td->state)) {
		td->dirty_ns += now - td->dirty_clock;
		due = mul_u64_u64_div_u64(td->dirty_rate, td->dirty_ns, NSEC_PER_SEC) / TD_BLOCK;
		/* More than one round over the state changes nothing that could be seen. */
		if (due - td->dirty_done > td->blocks)
			td->dirty_done = due - td->blocks;
		for (; td->dirty_done < due; td->dirty_done++) {
			td_touch(td, td->dirty_cursor);
			td->dirty_cursor = (td->dirty_cursor + td->dirty_stride) % td->blocks;
		}
	}
	td->dirty_clock = now;
}

/* ---- saving ---- */

static void td_save_begin(struct td_device *td, bool precopy)
{
	u64 initial = td->initial_bytes ? min(td->initial_bytes, td->size) : td->size;
	struct td_stream_header header = {
		.magic = cpu_to_le64(TD_STREAM_MAGIC),
		.version = cpu_to_le32(TD_STREAM_VERSION),
		.header_size = cpu_to_le32(sizeof(header)),
		.state_size = cpu_to_le64(td->size),
	};

	memset(&td->save, 0, sizeof(td->save));
	memcpy(td->save.meta, &header, sizeof(header));
	td->save.meta_len = sizeof(header);
	td->save.pending = td->blocks;
	bitmap_fill(td->todo, td->blocks);
	bitmap_zero(td->fresh, td->blocks);
	if (precopy) {
		td->save.initial = DIV_ROUND_UP_ULL(initial, TD_BLOCK);
		bitmap_set(td->fresh, 0, td->save.initial);
	}
}

/* Finds the next blocks for one record: initial data first, else whatever waits. */
static bool td_save_find(struct td_device *td, unsigned long *start, unsigned long *count)
{
	const unsigned long *map = td->save.initial ? td->fresh : td->todo;
	unsigned long first, limit;

	if (!td->save.pending)
		return false;
	first = find_next_bit(map, td->blocks, td->save.cursor);
	if (first >= td->blocks)
		first = find_first_bit(map, td->blocks);
	limit = min(td->blocks, first + TD_RECORD_BLOCKS);
	*start = first;
	*count = find_next_zero_bit(map, limit, first) - first;
	return true;
}

/* Puts the next thing to send in place. False if there is nothing (now). */
static bool td_save_next(struct td_device *td)
{
	struct td_save *save = &td->save;
	struct td_stream_record record = { };
	unsigned long start, count;

	if (td_save_find(td, &start, &count)) {
		save->data_initial = save->initial;
		bitmap_clear(td->todo, start, count);
		save->pending -= count;
		if (save->data_initial) {
			bitmap_clear(td->fresh, start, count);
			save->initial -= count;
		}
		save->cursor = start + count;
		save->data_pos = (u64)start * TD_BLOCK;
		save->data_left = (u64)count * TD_BLOCK;
		save->carried += save->data_left;
		record.type = cpu_to_le32(TD_RECORD_DATA);
		record.offset = cpu_to_le64(save->data_pos);
		record.length = cpu_to_le64(save->data_left);
	} else if (td->state == VFIO_DEVICE_STATE_STOP_COPY && !save->end_sent) {
		save->end_sent = true;
		record.type = cpu_to_le32(TD_RECORD_END);
		record.offset = cpu_to_le64(save->carried);
		record.length = cpu_to_le64(sizeof(struct td_stream_end));
	} else {
		return false;
	}
	memcpy(save->meta, &record, sizeof(record));
	save->meta_pos = 0;
	save->meta_len = sizeof(record);
	if (save->end_sent) {
		/* The checksum covers all that is before it, this record's own head included. */
		struct td_sum sum = save->sum;

		td_sum_add(&sum, &record, sizeof(record));
		td_sum_end(&sum, (struct td_stream_end *)(save->meta + sizeof(record)));
		save->meta_len += sizeof(struct td_stream_end);
	}
	return true;
}

/* What STOP_COPY would have to send from now on */
static u64 td_save_left(struct td_device *td)
{
	const u64 end = sizeof(struct td_stream_record) + sizeof(struct td_stream_end);
	const struct td_save *save = &td->save;
	unsigned long first, stop;
	u64 left = 0;

	if (!td->session || !td_state_saves(td->state))
		return sizeof(struct td_stream_header) + td->size + end +
		       DIV_ROUND_UP(td->blocks, TD_RECORD_BLOCKS) * sizeof(struct td_stream_record);
	left = save->meta_len - save->meta_pos + save->data_left + (u64)save->pending * TD_BLOCK;
	if (!save->end_sent)
		left += end;
	for (first = find_first_bit(td->todo, td->blocks); first < td->blocks;
	     first = find_next_bit(td->todo, td->blocks, stop)) {
		stop = find_next_zero_bit(td->todo, min(td->blocks, first + TD_RECORD_BLOCKS), first);
		left += sizeof(struct td_stream_record);
	}
	return left;
}

static bool td_file_valid(const struct td_file *file)
{
	return file->session == file->td->session;
}

static void td_delay_us(u32 us)
{
	if (us)
		fsleep(us);
}

static ssize_t td_save_read(struct file *filp, char __user *buf, size_t len, loff_t *pos)
{
	struct td_file *file = filp->private_data;
	struct td_device *td = file->td;
	struct td_save *save = &td->save;
	size_t done = 0, n;
	const void *from;
	int error;

	td_delay_us(READ_ONCE(td->delay_read));
	guard(mutex)(&td->lock);
	if (!td_file_valid(file))
		return -ENODEV;
	if (!len)
		return 0;
	td_catch_up(td);
	error = td_fault_hits(&td->fail_read, td->session_bytes);
	if (error) {
		td_event(td, "fail_read %llu %d", td->session_bytes, -error);
		return error;
	}
	len = td_fault_limit(&td->fail_read, td->session_bytes, len);
	if (td->short_read)
		len = min_t(u64, len, td->short_read);
	while (done < len) {
		if (save->meta_pos < save->meta_len) {
			from = save->meta + save->meta_pos;
			n = min_t(size_t, len - done, save->meta_len - save->meta_pos);
		} else if (save->data_left) {
			from = td_at(td, save->data_pos);
			n = min3((u64)(len - done), save->data_left, TD_CHUNK - save->data_pos % TD_CHUNK);
		} else if (td_save_next(td)) {
			continue;
		} else {
			break;
		}
		if (copy_to_user(buf + done, from, n)) {
			if (done)
				break;
			return -EFAULT;
		}
		td_sum_add(&save->sum, from, n);
		if (save->meta_pos < save->meta_len) {
			save->meta_pos += n;
		} else {
			save->data_pos += n;
			save->data_left -= n;
		}
		done += n;
	}
	td->session_bytes += done;
	if (!done && td->state != VFIO_DEVICE_STATE_STOP_COPY && !td->drained_zero)
		return -ENOMSG;
	return done;
}

static long td_save_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct td_file *file = filp->private_data;
	struct td_device *td = file->td;
	struct td_save *save = &td->save;
	struct vfio_precopy_info info;
	int error;

	error = vfio_check_precopy_ioctl(&td->vdev, cmd, arg, &info);
	if (error)
		return error;
	scoped_guard(mutex, &td->lock) {
		if (!td_state_precopies(td->state))
			return -EINVAL;
		if (!td_file_valid(file))
			return -ENODEV;
		td_catch_up(td);
		info.initial_bytes = (u64)save->initial * TD_BLOCK;
		info.dirty_bytes = (u64)(save->pending - save->initial) * TD_BLOCK;
		if (save->data_initial)
			info.initial_bytes += save->data_left;
		else
			info.dirty_bytes += save->data_left;
		if (td->vdev.precopy_info_v2 && save->reinit) {
			info.flags |= VFIO_PRECOPY_INFO_REINIT;
			save->reinit = false;
		}
	}
	if (copy_to_user((void __user *)arg, &info, offsetofend(struct vfio_precopy_info, dirty_bytes)))
		return -EFAULT;
	return 0;
}

/* ---- loading ---- */

static void td_load_begin(struct td_device *td)
{
	memset(&td->load, 0, sizeof(td->load));
	td->load.meta_len = sizeof(struct td_stream_header);
	td->load.missing = td->blocks;
	bitmap_zero(td->todo, td->blocks);
}

static int td_load_header(struct td_device *td)
{
	const struct td_stream_header *header = (const void *)td->load.meta;

	if (le64_to_cpu(header->magic) != TD_STREAM_MAGIC ||
	    le32_to_cpu(header->version) != TD_STREAM_VERSION ||
	    le32_to_cpu(header->header_size) != sizeof(*header) ||
	    le64_to_cpu(header->state_size) != td->size)
		return -EINVAL;
	td->load.has_header = true;
	td->load.meta_len = sizeof(struct td_stream_record);
	return 0;
}

static int td_load_record(struct td_device *td)
{
	struct td_load *load = &td->load;
	u64 offset, length;

	memcpy(&load->record, load->meta, sizeof(load->record));
	offset = le64_to_cpu(load->record.offset);
	length = le64_to_cpu(load->record.length);
	if (load->record.reserved)
		return -EINVAL;
	switch (le32_to_cpu(load->record.type)) {
	case TD_RECORD_DATA:
		if (!length || length % TD_BLOCK || offset % TD_BLOCK || length > td->size ||
		    offset > td->size - length)
			return -EINVAL;
		load->data_pos = offset;
		load->data_left = length;
		load->carried += length;
		return 0;
	case TD_RECORD_END:
		if (length != sizeof(struct td_stream_end) || offset != load->carried || load->missing)
			return -EINVAL;
		load->in_end = true;
		load->meta_len = sizeof(struct td_stream_end);
		return 0;
	default:
		return -EINVAL;
	}
}

static int td_load_end(struct td_device *td)
{
	struct td_stream_end expected;

	td_sum_end(&td->load.sum, &expected);
	if (memcmp(&expected, td->load.meta, sizeof(expected)))
		return -EINVAL;
	td->load.complete = true;
	return 0;
}

static int td_load_meta(struct td_device *td)
{
	struct td_load *load = &td->load;

	load->meta_pos = 0;
	if (load->in_end)
		return td_load_end(td);
	td_sum_add(&load->sum, load->meta, load->meta_len);
	return load->has_header ? td_load_record(td) : td_load_header(td);
}

static void td_load_record_done(struct td_device *td)
{
	unsigned long count = le64_to_cpu(td->load.record.length) / TD_BLOCK;
	unsigned long block = le64_to_cpu(td->load.record.offset) / TD_BLOCK;

	for (; count; count--, block++)
		if (!__test_and_set_bit(block, td->todo))
			td->load.missing--;
}

static ssize_t td_load_write(struct file *filp, const char __user *buf, size_t len, loff_t *pos)
{
	struct td_file *file = filp->private_data;
	struct td_device *td = file->td;
	struct td_load *load = &td->load;
	size_t done = 0, n;
	int error;
	void *to;

	td_delay_us(READ_ONCE(td->delay_write));
	guard(mutex)(&td->lock);
	if (!td_file_valid(file))
		return -ENODEV;
	if (!len)
		return 0;
	error = td_fault_hits(&td->fail_write, td->session_bytes);
	if (error) {
		td_event(td, "fail_write %llu %d", td->session_bytes, -error);
		return error;
	}
	if (load->bad)
		return -EINVAL;
	len = td_fault_limit(&td->fail_write, td->session_bytes, len);
	if (td->short_write)
		len = min_t(u64, len, td->short_write);
	while (done < len) {
		if (load->complete) {
			/* Nothing may follow the end. */
			load->bad = true;
			return -EINVAL;
		}
		if (load->data_left) {
			to = td_at(td, load->data_pos);
			n = min3((u64)(len - done), load->data_left, TD_CHUNK - load->data_pos % TD_CHUNK);
		} else {
			to = load->meta + load->meta_pos;
			n = min_t(size_t, len - done, load->meta_len - load->meta_pos);
		}
		if (copy_from_user(to, buf + done, n)) {
			if (done)
				break;
			return -EFAULT;
		}
		done += n;
		td->session_bytes += n;
		if (load->data_left) {
			td_sum_add(&load->sum, to, n);
			load->data_pos += n;
			load->data_left -= n;
			if (!load->data_left)
				td_load_record_done(td);
			continue;
		}
		load->meta_pos += n;
		if (load->meta_pos == load->meta_len && td_load_meta(td)) {
			load->bad = true;
			return -EINVAL;
		}
	}
	return done;
}

static int td_load_check(struct td_device *td)
{
	/* A session into which nothing was written loads nothing, and leaves the contents as they were. */
	if (!td->session_bytes)
		return 0;
	return td->load.complete && !td->load.bad ? 0 : -EINVAL;
}

/* ---- sessions ---- */

static int td_file_release(struct inode *inode, struct file *filp)
{
	struct td_file *file = filp->private_data;

	vfio_put_device(&file->td->vdev);
	kfree(file);
	return 0;
}

static const struct file_operations td_save_fops = {
	.owner = THIS_MODULE,
	.read = td_save_read,
	.unlocked_ioctl = td_save_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = td_file_release,
};

static const struct file_operations td_load_fops = {
	.owner = THIS_MODULE,
	.write = td_load_write,
	.release = td_file_release,
};

static void td_session_end(struct td_device *td)
{
	td->session = 0;
	td->session_bytes = 0;
	memset(&td->save, 0, sizeof(td->save));
	memset(&td->load, 0, sizeof(td->load));
}

static struct file *td_session_begin(struct td_device *td, const struct file_operations *fops, int flags)
{
	struct td_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	struct file *filp;

	if (!file)
		return ERR_PTR(-ENOMEM);
	filp = anon_inode_getfile("[" TD_NAME "_mig]", fops, file, flags);
	if (IS_ERR(filp)) {
		kfree(file);
		return filp;
	}
	stream_open(filp->f_inode, filp);
	/* The file may outlive the device's last close, and even its removal. */
	get_device(&td->vdev.device);
	file->td = td;
	td->session = ++td->last_session;
	td->session_bytes = 0;
	file->session = td->session;
	return filp;
}

/* ---- the state machine ---- */

static struct file *td_execute_arc(struct td_device *td, enum vfio_device_mig_state next)
{
	enum vfio_device_mig_state from = td->state;
	struct file *filp = NULL;
	int error;

	if (from == VFIO_DEVICE_STATE_RESUMING) {
		error = td_load_check(td);
		if (error) {
			td_event(td, "rejected %llu", td->session_bytes);
			return ERR_PTR(error);
		}
		td_session_end(td);
	} else if (td_state_saves(from) && !td_state_saves(next)) {
		td_session_end(td);
	}
	if (!td_state_saves(from) && td_state_saves(next)) {
		filp = td_session_begin(td, &td_save_fops, O_RDONLY);
		if (!IS_ERR(filp))
			td_save_begin(td, td_state_precopies(next));
	} else if (next == VFIO_DEVICE_STATE_RESUMING) {
		filp = td_session_begin(td, &td_load_fops, O_WRONLY);
		if (!IS_ERR(filp))
			td_load_begin(td);
	}
	return filp;
}

static struct file *td_step(struct td_device *td, enum vfio_device_mig_state next)
{
	enum vfio_device_mig_state from = td->state;
	u32 delay = READ_ONCE(td->delay_arc[from][next]);
	struct td_fault *fault = &td->fail_arc[from][next];
	ktime_t left = ms_to_ktime(delay);
	struct file *filp;
	int error;

	if (delay) {
		set_current_state(TASK_KILLABLE);
		if (schedule_hrtimeout(&left, HRTIMER_MODE_REL))
			return ERR_PTR(-EINTR);
	}
	guard(mutex)(&td->lock);
	td_catch_up(td);
	error = td_fault_hits(fault, 0);
	if (error) {
		td_event(td, "fail_arc %s %s %d", td_state_names[from], td_state_names[next], -error);
		if (fault->enter_error) {
			td_session_end(td);
			td->state = VFIO_DEVICE_STATE_ERROR;
		}
		return ERR_PTR(error);
	}
	filp = td_execute_arc(td, next);
	if (!IS_ERR(filp)) {
		td->state = next;
		td_event(td, "arc %s %s", td_state_names[from], td_state_names[next]);
	}
	return filp;
}

static void td_reset_now(struct td_device *td)
{
	guard(mutex)(&td->lock);
	td_catch_up(td);
	td_session_end(td);
	td->state = VFIO_DEVICE_STATE_RUNNING;
	put_unaligned_le16(0, &td->config[PCI_COMMAND]);
	/* A reset loses state. Not all of it, which would take long, but enough to be seen in the digest. */
	td_touch(td, 0);
	td_event(td, "reset");
}

/* Gives state_mutex back, and does a reset that was asked for while it was held. */
static void td_state_unlock(struct td_device *td)
{
	mutex_lock(&td->reset_mutex);
	while (td->deferred_reset) {
		td->deferred_reset = false;
		mutex_unlock(&td->reset_mutex);
		td_reset_now(td);
		mutex_lock(&td->reset_mutex);
	}
	/* Under reset_mutex: whoever sets deferred_reset from now on gets state_mutex, and does it. */
	mutex_unlock(&td->state_mutex);
	mutex_unlock(&td->reset_mutex);
}

static int td_reset(struct td_device *td)
{
	int error;

	scoped_guard(mutex, &td->lock) {
		error = td_fault_hits(&td->fail_reset, 0);
		if (error) {
			td_event(td, "fail_reset %d", -error);
			return error;
		}
	}
	mutex_lock(&td->reset_mutex);
	td->deferred_reset = true;
	if (!mutex_trylock(&td->state_mutex)) {
		mutex_unlock(&td->reset_mutex);
		return 0;
	}
	mutex_unlock(&td->reset_mutex);
	td_state_unlock(td);
	return 0;
}

static struct file *td_set_state(struct vfio_device *vdev, enum vfio_device_mig_state target)
{
	struct td_device *td = to_td(vdev);
	enum vfio_device_mig_state next;
	struct file *filp = NULL;
	int error;

	mutex_lock(&td->state_mutex);
	while (td->state != target) {
		/*
		 * vfio_mig_get_next_state() warns about ERROR, and in kernels before 6.12.96 never returns for the
		 * two blocked arcs.
		 */
		if (td->state == VFIO_DEVICE_STATE_ERROR ||
		    (td->state == VFIO_DEVICE_STATE_STOP_COPY && td_state_precopies(target))) {
			filp = ERR_PTR(-EINVAL);
			break;
		}
		error = vfio_mig_get_next_state(vdev, td->state, target, &next);
		if (error) {
			filp = ERR_PTR(error);
			break;
		}
		/* Only the last arc of a walk opens a session, so that no file is overwritten here. */
		filp = td_step(td, next);
		if (IS_ERR(filp))
			break;
	}
	td_state_unlock(td);
	return filp;
}

static int td_get_state(struct vfio_device *vdev, enum vfio_device_mig_state *state)
{
	struct td_device *td = to_td(vdev);

	mutex_lock(&td->state_mutex);
	*state = td->state;
	td_state_unlock(td);
	return 0;
}

static int td_get_data_size(struct vfio_device *vdev, unsigned long *length)
{
	struct td_device *td = to_td(vdev);

	guard(mutex)(&td->lock);
	if (td->data_size_errno)
		return -td->data_size_errno;
	td_catch_up(td);
	*length = td_save_left(td);
	return 0;
}

static const struct vfio_migration_ops td_mig_ops = {
	.migration_set_state = td_set_state,
	.migration_get_state = td_get_state,
	.migration_get_data_size = td_get_data_size,
};

/* ---- DMA logging ---- */

static void td_log_clear(struct td_device *td)
{
	td->logging = false;
	kfree(td->log_ranges);
	td->log_ranges = NULL;
	td->log_nranges = 0;
	xa_destroy(&td->log_pages);
}

static int td_log_start(struct vfio_device *vdev, struct rb_root_cached *ranges, u32 nnodes, u64 *page_size)
{
	struct td_device *td = to_td(vdev);
	struct interval_tree_node *node;

	guard(mutex)(&td->lock);
	if (td->logging)
		return -EBUSY;
	if (td->dma_max_ranges && nnodes > td->dma_max_ranges)
		return -E2BIG;
	td->log_ranges = kcalloc(nnodes, sizeof(*td->log_ranges), GFP_KERNEL_ACCOUNT);
	if (!td->log_ranges)
		return -ENOMEM;
	for (node = interval_tree_iter_first(ranges, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		td->log_ranges[td->log_nranges].start = node->start;
		td->log_ranges[td->log_nranges++].last = node->last;
	}
	*page_size = PAGE_SIZE;
	td->logging = true;
	td_event(td, "log_start %u", nnodes);
	return 0;
}

static int td_log_stop(struct vfio_device *vdev)
{
	struct td_device *td = to_td(vdev);

	guard(mutex)(&td->lock);
	if (!td->logging)
		return -EINVAL;
	td_log_clear(td);
	td_event(td, "log_stop");
	return 0;
}

static const struct td_log_range *td_log_find(struct td_device *td, unsigned long iova)
{
	u32 i;

	for (i = 0; i < td->log_nranges; i++)
		if (iova >= td->log_ranges[i].start && iova <= td->log_ranges[i].last)
			return &td->log_ranges[i];
	return NULL;
}

static int td_log_read_and_clear(struct vfio_device *vdev, unsigned long iova, unsigned long length,
				 struct iova_bitmap *dirty)
{
	struct td_device *td = to_td(vdev);
	const struct td_log_range *range;
	unsigned long page;
	void *entry;

	guard(mutex)(&td->lock);
	if (!td->logging)
		return -EINVAL;
	range = td_log_find(td, iova);
	if (!range || iova + length - 1 > range->last)
		return -EINVAL;
	xa_for_each_range(&td->log_pages, page, entry, iova >> PAGE_SHIFT, (iova + length - 1) >> PAGE_SHIFT) {
		unsigned long first = max(iova, page << PAGE_SHIFT);
		unsigned long last = min(iova + length - 1, (page << PAGE_SHIFT) + PAGE_SIZE - 1);

		iova_bitmap_set(dirty, first, last - first + 1);
		xa_erase(&td->log_pages, page);
	}
	return 0;
}

static const struct vfio_log_ops td_log_ops = {
	.log_start = td_log_start,
	.log_stop = td_log_stop,
	.log_read_and_clear = td_log_read_and_clear,
};

struct td_dma {
	struct work_struct work;
	struct td_device *td;
	u64 iova;
	u64 length;
	u8 value;
	int error;
};

static int td_dma_mark(struct td_device *td, u64 iova, u64 length)
{
	u64 page;
	int error;

	for (page = iova >> PAGE_SHIFT; page <= (iova + length - 1) >> PAGE_SHIFT; page++) {
		if (!td_log_find(td, page << PAGE_SHIFT) && !td_log_find(td, iova))
			continue;
		error = xa_err(xa_store(&td->log_pages, page, xa_mk_value(1), GFP_KERNEL));
		if (error)
			return error;
	}
	return 0;
}

/*
 * Runs in a kernel thread, as a device's DMA comes from nobody's context: the container only accepts the mapping
 * process or a kernel thread.
 */
static void td_dma_work(struct work_struct *work)
{
	struct td_dma *dma = container_of(work, struct td_dma, work);
	struct td_device *td = dma->td;
	void *buffer = kmalloc(PAGE_SIZE, GFP_KERNEL);
	u64 n;

	if (!buffer) {
		dma->error = -ENOMEM;
		return;
	}
	memset(buffer, dma->value, PAGE_SIZE);
	mutex_lock(&td->lock);
	if (!td->open)
		dma->error = -ENODEV;
	else if (!td_state_runs(td->state))
		dma->error = -EBUSY;
	else
		td_event(td, "dma_write %llu %llu", dma->iova, dma->length);
	while (dma->length && !dma->error) {
		n = min(dma->length, PAGE_SIZE - dma->iova % PAGE_SIZE);
		dma->error = vfio_dma_rw(&td->vdev, dma->iova, buffer, n, true);
		if (!dma->error && td->logging)
			dma->error = td_dma_mark(td, dma->iova, n);
		dma->iova += n;
		dma->length -= n;
	}
	mutex_unlock(&td->lock);
	kfree(buffer);
}

/* ---- the PCI device ---- */

/* Which bits of the configuration space can be written; all else is read-only. There are no BARs. */
static u8 td_config_mask(unsigned int offset)
{
	switch (offset) {
	case PCI_COMMAND:
		return PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	case PCI_COMMAND + 1:
		return PCI_COMMAND_INTX_DISABLE >> 8;
	case PCI_CACHE_LINE_SIZE:
	case PCI_LATENCY_TIMER:
	case PCI_INTERRUPT_LINE:
		return 0xff;
	default:
		return 0;
	}
}

static void td_config_init(struct td_device *td)
{
	u8 *config = td->config;

	put_unaligned_le16(0x1234, &config[PCI_VENDOR_ID]);
	put_unaligned_le16(0x4a00 + td->vdev.migration_flags, &config[PCI_DEVICE_ID]);
	config[PCI_REVISION_ID] = 1;
	config[PCI_CLASS_DEVICE + 1] = 0x12;	/* processing accelerator */
	put_unaligned_le16(0x1234, &config[PCI_SUBSYSTEM_VENDOR_ID]);
	put_unaligned_le16(0x0001, &config[PCI_SUBSYSTEM_ID]);
}

static bool td_config_range(loff_t pos, size_t count, unsigned int *offset)
{
	u64 at = pos & (BIT_ULL(TD_REGION_SHIFT) - 1);

	*offset = at;
	return pos >> TD_REGION_SHIFT == VFIO_PCI_CONFIG_REGION_INDEX && at < TD_CONFIG_SIZE &&
	       count <= TD_CONFIG_SIZE - at;
}

static ssize_t td_region_read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *pos)
{
	struct td_device *td = to_td(vdev);
	unsigned int offset;

	if (!td_config_range(*pos, count, &offset))
		return -EINVAL;
	guard(mutex)(&td->lock);
	if (copy_to_user(buf, td->config + offset, count))
		return -EFAULT;
	*pos += count;
	return count;
}

static ssize_t td_region_write(struct vfio_device *vdev, const char __user *buf, size_t count, loff_t *pos)
{
	struct td_device *td = to_td(vdev);
	u8 values[TD_CONFIG_SIZE];
	unsigned int offset, i;
	u8 mask;

	if (!td_config_range(*pos, count, &offset))
		return -EINVAL;
	if (copy_from_user(values, buf, count))
		return -EFAULT;
	guard(mutex)(&td->lock);
	for (i = 0; i < count; i++) {
		mask = td_config_mask(offset + i);
		td->config[offset + i] = (td->config[offset + i] & ~mask) | (values[i] & mask);
	}
	*pos += count;
	return count;
}

static int td_get_region_info(struct vfio_device *vdev, struct vfio_region_info *info, struct vfio_info_cap *caps)
{
	if (info->index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	info->offset = (u64)info->index << TD_REGION_SHIFT;
	info->size = 0;
	info->flags = 0;
	if (info->index == VFIO_PCI_CONFIG_REGION_INDEX) {
		info->size = TD_CONFIG_SIZE;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	}
	return 0;
}

static long td_get_info(void __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VFIO_PCI_NUM_REGIONS;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static long td_get_irq_info(void __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_irq_info, count);
	struct vfio_irq_info info;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	info.flags = 0;
	info.count = 0;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static long td_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return td_get_info((void __user *)arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return td_get_irq_info((void __user *)arg);
	case VFIO_DEVICE_SET_IRQS:
		return -EINVAL;		/* there are none */
	case VFIO_DEVICE_RESET:
		return td_reset(to_td(vdev));
	default:
		return -ENOTTY;
	}
}

static int td_open(struct vfio_device *vdev)
{
	struct td_device *td = to_td(vdev);

	guard(mutex)(&td->lock);
	td->open = true;
	td->dirty_clock = ktime_get_ns();
	td_event(td, "open");
	return 0;
}

static void td_close(struct vfio_device *vdev)
{
	struct td_device *td = to_td(vdev);

	/* No ioctl runs any more, so nobody holds state_mutex. */
	guard(mutex)(&td->lock);
	td_catch_up(td);
	td_session_end(td);
	td_log_clear(td);
	td->state = VFIO_DEVICE_STATE_RUNNING;
	td->open = false;
	td_event(td, "close");
}

static int td_init(struct vfio_device *vdev)
{
	struct td_device *td = to_td(vdev);
	struct mdev_device *mdev = to_mdev_device(vdev->dev);
	int error;

	mutex_init(&td->state_mutex);
	mutex_init(&td->lock);
	mutex_init(&td->reset_mutex);
	xa_init(&td->log_pages);
	td->state = VFIO_DEVICE_STATE_RUNNING;
	vdev->migration_flags = container_of(mdev->type, struct td_type, type)->migration_flags;
	vdev->mig_ops = &td_mig_ops;
	vdev->log_ops = &td_log_ops;
	td_config_init(td);
	td->seed = td_mix(get_unaligned_le64(&mdev->uuid.b[0])) ^ get_unaligned_le64(&mdev->uuid.b[8]);
	td->events = kvzalloc(TD_LOG_SIZE, GFP_KERNEL);
	if (!td->events)
		return -ENOMEM;
	error = td_resize(td, TD_MIN_SIZE);
	if (error)
		kvfree(td->events);
	return error;
}

static void td_release(struct vfio_device *vdev)
{
	struct td_device *td = to_td(vdev);

	td_free_contents(td->chunks, td->size);
	bitmap_free(td->todo);
	bitmap_free(td->fresh);
	kvfree(td->events);
}

static const struct vfio_device_ops td_ops = {
	.name = TD_NAME,
	.init = td_init,
	.release = td_release,
	.open_device = td_open,
	.close_device = td_close,
	.read = td_region_read,
	.write = td_region_write,
	.ioctl = td_ioctl,
	.get_region_info_caps = td_get_region_info,
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
};

/* ---- attributes ---- */

static struct td_device *td_of(struct device *dev)
{
	return dev_get_drvdata(dev);
}

static int td_parse_state(const char *name)
{
	return match_string(td_state_names, TD_STATES, name);
}

/* "ERRNO [COUNT]" from the words of an attribute; 0 as errno takes the fault away. */
static int td_parse_fault(struct td_fault *fault, char **words, int nwords)
{
	if (nwords < 1 || nwords > 2 || kstrtou16(words[0], 0, &fault->error) || fault->error >= MAX_ERRNO)
		return -EINVAL;
	if (nwords == 2 && kstrtou32(words[1], 0, &fault->left))
		return -EINVAL;
	return 0;
}

#define TD_MAX_WORDS 6

/* Splits at white space. Returns the number of words, or an error if there are too many. */
static int td_split(char *text, char **words)
{
	int n = 0;
	char *word;

	while ((word = strsep(&text, " \t\n"))) {
		if (!*word)
			continue;
		if (n == TD_MAX_WORDS)
			return -EINVAL;
		words[n++] = word;
	}
	return n;
}

static ssize_t size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", td_of(dev)->size);
}

static ssize_t size_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	struct td_device *td = td_of(dev);
	u64 size;
	int error;

	error = kstrtou64(buf, 0, &size);
	if (error)
		return error;
	if (size < TD_MIN_SIZE || size > TD_MAX_SIZE || size % TD_CHUNK)
		return -EINVAL;
	guard(mutex)(&td->lock);
	if (td->session)
		return -EBUSY;
	if (size == td->size)
		return count;
	error = td_resize(td, size);
	return error ?: count;
}
static DEVICE_ATTR_RW(size);

static ssize_t seed_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", td_of(dev)->seed);
}

static ssize_t seed_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	struct td_device *td = td_of(dev);
	u64 seed;
	int error;

	error = kstrtou64(buf, 0, &seed);
	if (error)
		return error;
	guard(mutex)(&td->lock);
	if (td->session)
		return -EBUSY;
	td->seed = seed;
	td_fill(td);
	return count;
}
static DEVICE_ATTR_RW(seed);

static ssize_t dirty_rate_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", td_of(dev)->dirty_rate);
}

static ssize_t dirty_rate_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	struct td_device *td = td_of(dev);
	u64 rate;
	int error;

	error = kstrtou64(buf, 0, &rate);
	if (error)
		return error;
	guard(mutex)(&td->lock);
	td_catch_up(td);
	td->dirty_rate = rate;
	td->dirty_ns = 0;
	td->dirty_done = 0;
	return count;
}
static DEVICE_ATTR_RW(dirty_rate);

static ssize_t drained_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", td_of(dev)->drained_zero ? "zero" : "enomsg");
}

static ssize_t drained_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	if (sysfs_streq(buf, "zero"))
		td_of(dev)->drained_zero = true;
	else if (sysfs_streq(buf, "enomsg"))
		td_of(dev)->drained_zero = false;
	else
		return -EINVAL;
	return count;
}
static DEVICE_ATTR_RW(drained);

/* Attributes that are one number without any more to it */
#define TD_NUMBER_ATTR(_name, _parse)									\
static ssize_t _name##_show(struct device *dev, struct device_attribute *attr, char *buf)		\
{													\
	return sysfs_emit(buf, "%llu\n", (u64)td_of(dev)->_name);					\
}													\
static ssize_t _name##_store(struct device *dev, struct device_attribute *attr, const char *buf,	\
			     size_t count)								\
{													\
	struct td_device *td = td_of(dev);								\
	int error;											\
													\
	guard(mutex)(&td->lock);									\
	error = _parse(buf, 0, &td->_name);								\
	return error ?: count;										\
}													\
static DEVICE_ATTR_RW(_name)

TD_NUMBER_ATTR(initial_bytes, kstrtou64);
TD_NUMBER_ATTR(short_read, kstrtou64);
TD_NUMBER_ATTR(short_write, kstrtou64);
TD_NUMBER_ATTR(delay_read, kstrtou32);
TD_NUMBER_ATTR(delay_write, kstrtou32);
TD_NUMBER_ATTR(dma_max_ranges, kstrtou32);

static ssize_t data_size_errno_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", td_of(dev)->data_size_errno);
}

static ssize_t data_size_errno_store(struct device *dev, struct device_attribute *attr, const char *buf,
				     size_t count)
{
	struct td_device *td = td_of(dev);
	u16 error;

	if (kstrtou16(buf, 0, &error) || error >= MAX_ERRNO)
		return -EINVAL;
	guard(mutex)(&td->lock);
	td->data_size_errno = error;
	return count;
}
static DEVICE_ATTR_RW(data_size_errno);

static ssize_t delay_arc_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct td_device *td = td_of(dev);
	int from, to, len = 0;

	for (from = 0; from < TD_STATES; from++)
		for (to = 0; to < TD_STATES; to++)
			if (td->delay_arc[from][to])
				len += sysfs_emit_at(buf, len, "%s %s %u\n", td_state_names[from],
						     td_state_names[to], td->delay_arc[from][to]);
	return len;
}

static int td_set_delay_arc(struct td_device *td, char *line)
{
	char *words[TD_MAX_WORDS];
	int n = td_split(line, words);
	int from, to;

	if (!n)
		return 0;
	if (n != 3)
		return -EINVAL;
	from = td_parse_state(words[0]);
	to = td_parse_state(words[1]);
	if (from < 0 || to < 0)
		return -EINVAL;
	return kstrtou32(words[2], 0, &td->delay_arc[from][to]);
}

static int td_set_fail_arc(struct td_device *td, char *line)
{
	struct td_fault fault = { };
	char *words[TD_MAX_WORDS];
	int n = td_split(line, words);
	int from, to, error;

	if (!n)
		return 0;
	if (n < 3)
		return -EINVAL;
	from = td_parse_state(words[0]);
	to = td_parse_state(words[1]);
	if (from < 0 || to < 0)
		return -EINVAL;
	if (!strcmp(words[n - 1], "error")) {
		fault.enter_error = true;
		n--;
	}
	error = td_parse_fault(&fault, words + 2, n - 2);
	if (!error)
		td->fail_arc[from][to] = fault;
	return error;
}

/* Several settings may come in one write, one per line. */
static ssize_t td_store_lines(struct device *dev, const char *buf, size_t count,
			      int (*set)(struct td_device *td, char *line))
{
	char *copy __free(kfree) = kstrndup(buf, count, GFP_KERNEL);
	struct td_device *td = td_of(dev);
	char *rest = copy, *line;
	int error;

	if (!copy)
		return -ENOMEM;
	guard(mutex)(&td->lock);
	while ((line = strsep(&rest, "\n"))) {
		error = set(td, line);
		if (error)
			return error;
	}
	return count;
}

static ssize_t delay_arc_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	return td_store_lines(dev, buf, count, td_set_delay_arc);
}
static DEVICE_ATTR_RW(delay_arc);

static ssize_t fail_arc_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct td_device *td = td_of(dev);
	const struct td_fault *fault;
	int from, to, len = 0;

	for (from = 0; from < TD_STATES; from++) {
		for (to = 0; to < TD_STATES; to++) {
			fault = &td->fail_arc[from][to];
			if (fault->error)
				len += sysfs_emit_at(buf, len, "%s %s %u %u%s\n", td_state_names[from],
						     td_state_names[to], fault->error, fault->left,
						     fault->enter_error ? " error" : "");
		}
	}
	return len;
}

static ssize_t fail_arc_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	return td_store_lines(dev, buf, count, td_set_fail_arc);
}
static DEVICE_ATTR_RW(fail_arc);

static ssize_t td_show_fault(char *buf, const struct td_fault *fault)
{
	if (!fault->error)
		return sysfs_emit(buf, "\n");
	return sysfs_emit(buf, "%llu %u %u\n", fault->offset, fault->error, fault->left);
}

static int td_parse_fail_at(struct td_fault *fault, char *line)
{
	struct td_fault parsed = { };
	char *words[TD_MAX_WORDS];
	int n = td_split(line, words);
	int error;

	if (!n)
		return 0;
	if (n < 2 || kstrtou64(words[0], 0, &parsed.offset))
		return -EINVAL;
	error = td_parse_fault(&parsed, words + 1, n - 1);
	if (!error)
		*fault = parsed;
	return error;
}

static ssize_t fail_read_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return td_show_fault(buf, &td_of(dev)->fail_read);
}

static int td_set_fail_read(struct td_device *td, char *line)
{
	return td_parse_fail_at(&td->fail_read, line);
}

static ssize_t fail_read_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	return td_store_lines(dev, buf, count, td_set_fail_read);
}
static DEVICE_ATTR_RW(fail_read);

static ssize_t fail_write_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return td_show_fault(buf, &td_of(dev)->fail_write);
}

static int td_set_fail_write(struct td_device *td, char *line)
{
	return td_parse_fail_at(&td->fail_write, line);
}

static ssize_t fail_write_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	return td_store_lines(dev, buf, count, td_set_fail_write);
}
static DEVICE_ATTR_RW(fail_write);

static ssize_t fail_reset_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct td_fault *fault = &td_of(dev)->fail_reset;

	return fault->error ? sysfs_emit(buf, "%u %u\n", fault->error, fault->left) : sysfs_emit(buf, "\n");
}

static int td_set_fail_reset(struct td_device *td, char *line)
{
	struct td_fault parsed = { };
	char *words[TD_MAX_WORDS];
	int n = td_split(line, words);
	int error;

	if (!n)
		return 0;
	error = td_parse_fault(&parsed, words, n);
	if (!error)
		td->fail_reset = parsed;
	return error;
}

static ssize_t fail_reset_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	return td_store_lines(dev, buf, count, td_set_fail_reset);
}
static DEVICE_ATTR_RW(fail_reset);

static ssize_t clear_faults_store(struct device *dev, struct device_attribute *attr, const char *buf,
				  size_t count)
{
	struct td_device *td = td_of(dev);

	guard(mutex)(&td->lock);
	memset(td->fail_arc, 0, sizeof(td->fail_arc));
	memset(td->delay_arc, 0, sizeof(td->delay_arc));
	memset(&td->fail_read, 0, sizeof(td->fail_read));
	memset(&td->fail_write, 0, sizeof(td->fail_write));
	memset(&td->fail_reset, 0, sizeof(td->fail_reset));
	td->short_read = 0;
	td->short_write = 0;
	td->delay_read = 0;
	td->delay_write = 0;
	td->data_size_errno = 0;
	return count;
}
static DEVICE_ATTR_WO(clear_faults);

static ssize_t reinit_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	struct td_device *td = td_of(dev);
	struct td_save *save = &td->save;
	unsigned long block, blocks;
	u64 bytes;
	int error;

	error = kstrtou64(buf, 0, &bytes);
	if (error)
		return error;
	guard(mutex)(&td->lock);
	if (!bytes || bytes > td->size)
		return -EINVAL;
	if (!td->session || !td_state_precopies(td->state))
		return -EBUSY;
	td_catch_up(td);
	blocks = DIV_ROUND_UP_ULL(bytes, TD_BLOCK);
	for (block = 0; block < blocks; block++)
		td_touch(td, block);
	/* What waited as dirty belongs to the new initial data: dirty_bytes starts again at 0. */
	bitmap_copy(td->fresh, td->todo, td->blocks);
	save->initial = save->pending;
	save->data_initial = true;
	save->reinit = true;
	td_event(td, "reinit %llu", bytes);
	return count;
}
static DEVICE_ATTR_WO(reinit);

static ssize_t digest_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct td_device *td = td_of(dev);

	guard(mutex)(&td->lock);
	td_catch_up(td);
	return sysfs_emit(buf, "%016llx\n", td_digest(td));
}
static DEVICE_ATTR_RO(digest);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", td_state_names[READ_ONCE(td_of(dev)->state)]);
}
static DEVICE_ATTR_RO(state);

static ssize_t stats_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct td_device *td = td_of(dev);
	const struct td_save *save = &td->save;
	bool saving, loading;

	guard(mutex)(&td->lock);
	td_catch_up(td);
	saving = td->session && td_state_saves(td->state);
	loading = td->session && !saving;
	return sysfs_emit(buf,
			  "session %s\nread %llu\nwritten %llu\ninitial_bytes %llu\ndirty_bytes %llu\ndirtied %llu\n",
			  saving ? "save" : loading ? "load" : "none",
			  saving ? td->session_bytes : 0,
			  loading ? td->session_bytes : 0,
			  (u64)save->initial * TD_BLOCK + (save->data_initial ? save->data_left : 0),
			  (u64)(save->pending - save->initial) * TD_BLOCK +
				(save->data_initial ? 0 : save->data_left),
			  td->dirty_done * TD_BLOCK);
}
static DEVICE_ATTR_RO(stats);

static ssize_t dma_write_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t count)
{
	char *copy __free(kfree) = kstrndup(buf, count, GFP_KERNEL);
	struct td_dma dma = { .td = td_of(dev) };
	char *words[TD_MAX_WORDS];
	u64 end;

	if (!copy)
		return -ENOMEM;
	if (td_split(copy, words) != 3 || kstrtou64(words[0], 0, &dma.iova) || kstrtou64(words[1], 0, &dma.length) ||
	    kstrtou8(words[2], 0, &dma.value) || !dma.length || check_add_overflow(dma.iova, dma.length, &end))
		return -EINVAL;
	INIT_WORK_ONSTACK(&dma.work, td_dma_work);
	schedule_work(&dma.work);
	flush_work(&dma.work);
	destroy_work_on_stack(&dma.work);
	return dma.error ?: count;
}
static DEVICE_ATTR_WO(dma_write);

static ssize_t log_read(struct file *filp, struct kobject *kobj, const struct bin_attribute *attr, char *buf,
			loff_t offset, size_t count)
{
	struct td_device *td = td_of(kobj_to_dev(kobj));

	guard(mutex)(&td->lock);
	return memory_read_from_buffer(buf, count, &offset, td->events, td->events_len);
}

static ssize_t log_write(struct file *filp, struct kobject *kobj, const struct bin_attribute *attr, char *buf,
			 loff_t offset, size_t count)
{
	struct td_device *td = td_of(kobj_to_dev(kobj));

	guard(mutex)(&td->lock);
	td->events_len = 0;
	return count;
}
static const BIN_ATTR_RW(log, 0);

static struct attribute *td_attrs[] = {
	&dev_attr_size.attr,
	&dev_attr_seed.attr,
	&dev_attr_dirty_rate.attr,
	&dev_attr_initial_bytes.attr,
	&dev_attr_drained.attr,
	&dev_attr_short_read.attr,
	&dev_attr_short_write.attr,
	&dev_attr_delay_arc.attr,
	&dev_attr_delay_read.attr,
	&dev_attr_delay_write.attr,
	&dev_attr_fail_arc.attr,
	&dev_attr_fail_read.attr,
	&dev_attr_fail_write.attr,
	&dev_attr_fail_reset.attr,
	&dev_attr_data_size_errno.attr,
	&dev_attr_clear_faults.attr,
	&dev_attr_reinit.attr,
	&dev_attr_digest.attr,
	&dev_attr_state.attr,
	&dev_attr_stats.attr,
	&dev_attr_dma_write.attr,
	&dev_attr_dma_max_ranges.attr,
	NULL,
};

static const struct bin_attribute *const td_bin_attrs[] = {
	&bin_attr_log,
	NULL,
};

static const struct attribute_group td_group = {
	.name = "testdev",
	.attrs = td_attrs,
	.bin_attrs = td_bin_attrs,
};

static const struct attribute_group *td_groups[] = {
	&td_group,
	NULL,
};

/* ---- the mediated device and its parent ---- */

static int td_mdev_probe(struct mdev_device *mdev)
{
	struct td_device *td = vfio_alloc_device(td_device, vdev, &mdev->dev, &td_ops);
	int error;

	if (IS_ERR(td))
		return PTR_ERR(td);
	/* Before the device can be opened, and before its attributes appear */
	dev_set_drvdata(&mdev->dev, td);
	error = vfio_register_emulated_iommu_dev(&td->vdev);
	if (error)
		vfio_put_device(&td->vdev);
	return error;
}

static void td_mdev_remove(struct mdev_device *mdev)
{
	struct td_device *td = dev_get_drvdata(&mdev->dev);

	vfio_unregister_group_dev(&td->vdev);
	vfio_put_device(&td->vdev);
}

static ssize_t td_show_description(struct mdev_type *type, char *buf)
{
	return sysfs_emit(buf, "migration flags %u\n", container_of(type, struct td_type, type)->migration_flags);
}

static struct mdev_driver td_mdev_driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.max_instances = 64,
	.driver = {
		.name = TD_NAME "_mdev",
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
		.dev_groups = td_groups,
	},
	.probe = td_mdev_probe,
	.remove = td_mdev_remove,
	.show_description = td_show_description,
};

static int td_parent_probe(struct platform_device *pdev)
{
	return mdev_register_parent(&td_parent, &pdev->dev, &td_mdev_driver, td_mdev_types,
				    ARRAY_SIZE(td_mdev_types));
}

static void td_parent_remove(struct platform_device *pdev)
{
	mdev_unregister_parent(&td_parent);
}

/* A parent without a driver of its own would not do: the VFIO core looks at the parent's driver's owner. */
static struct platform_driver td_platform_driver = {
	.probe = td_parent_probe,
	.remove = td_parent_remove,
	.driver.name = TD_NAME,
};

static int __init td_module_init(void)
{
	int error;

	error = mdev_register_driver(&td_mdev_driver);
	if (error)
		return error;
	error = platform_driver_register(&td_platform_driver);
	if (error)
		goto unregister_mdev;
	td_platform_device = platform_device_register_simple(TD_NAME, PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(td_platform_device)) {
		error = PTR_ERR(td_platform_device);
		goto unregister_platform;
	}
	return 0;

unregister_platform:
	platform_driver_unregister(&td_platform_driver);
unregister_mdev:
	mdev_unregister_driver(&td_mdev_driver);
	return error;
}

static void __exit td_module_exit(void)
{
	platform_device_unregister(td_platform_device);
	platform_driver_unregister(&td_platform_driver);
	mdev_unregister_driver(&td_mdev_driver);
}

module_init(td_module_init);
module_exit(td_module_exit);

MODULE_IMPORT_NS("IOMMUFD");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("VFIO mediated device with migratable state, for tests");
MODULE_AUTHOR("The vfio4j authors");
