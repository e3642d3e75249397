// SPDX-License-Identifier: Apache-2.0
/*
 * What a migration costs without Java: reads VFIO devices' state and sends it, or receives and loads it, with plain
 * read, send, recv and write, one buffer and one thread for each device. bench/compare holds vfio4j against this.
 *
 *   vfio_copy send    [OPTION...] PEER DEVICE...     connects to PEER
 *   vfio_copy receive [OPTION...] PEER DEVICE...     listens there, and says where on standard error
 *   vfio_copy save    [OPTION...] FILE DEVICE...     the second device and more into FILE.1, FILE.2, ...
 *   vfio_copy load    [OPTION...] FILE DEVICE...
 *
 * PEER is tcp:HOST:PORT (IPv4; port 0 lets receive choose) or unix:PATH. DEVICE is a cdev such as
 * /dev/vfio/devices/vfio0, with PRE_COPY and P2P, or memory:BYTES: a memfd of that size without states, which is what the
 * emulator's devices hold. Both sides name theirs in the same order.
 *
 *   --downtime-limit MS   stop when what is left takes no longer at the rate so far (default 300)
 *   --max-time MS         stop anyhow after so much pre-copy (default 60000)
 *   --chunk BYTES         the buffer, a multiple of 4096 (default 1048576)
 *   --crc                 both sides compute a CRC32C of all they move, and compare it at the end
 *   --direct              save with O_DIRECT
 *
 * The stream is what the driver gives, with nothing around it: its end is the connection's. A control connection carries
 * the handover that vfio4j has: LOADED, COMMIT, RUNNING. Each side prints one line of JSON. A file is brought to disk at the
 * end of each round and of all, as vfio4j does it. Any failure ends the program; there is no way back here.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <nmmintrin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The part of the kernel's interface that is used here; a host's headers may be older than its kernel. */
enum {
	IOMMU_IOAS_ALLOC = 0x3b81,
	VFIO_DEVICE_FEATURE = 0x3b75,
	VFIO_DEVICE_BIND_IOMMUFD = 0x3b76,
	VFIO_DEVICE_ATTACH_IOMMUFD_PT = 0x3b77,
	VFIO_MIG_GET_PRECOPY_INFO = 0x3b79,
	SET_MIG_DEVICE_STATE = 1 << 17 | 2,
};
enum state { STOP = 1, RUNNING, STOP_COPY, RESUMING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P };
struct bind { uint32_t argsz, flags; int32_t iommufd; uint32_t out_devid; };
struct attach { uint32_t argsz, flags, pt_id; };
struct ioas { uint32_t size, flags, out_ioas_id; };
struct feature { uint32_t argsz, flags, state; int32_t data_fd; };
struct precopy_info { uint32_t argsz, flags; uint64_t initial_bytes, dirty_bytes; };

enum { MOST_DEVICES = 32, PAGE = 4096, MS = 1000000 };

struct device {
	const char *name;
	bool memory;
	int fd, data, peer;
	pthread_t thread;
	char *buffer;
	size_t used;		/* of the buffer, not yet written: with O_DIRECT only */
	uint32_t crc;
	atomic_ulong precopy_bytes;
	uint64_t stop_copy_bytes, rounds;
};

static struct device devices[MOST_DEVICES];
static int count;
static long chunk = 1 << 20, downtime_limit = 300, max_time = 60000;
static bool with_crc, direct, to_file;
static pthread_barrier_t barrier;
static pthread_mutex_t deciding = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool stopping;
static long began;

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static long cpu_nanos(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000L +
	       (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000L;
}

static long cpu_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return cpu_nanos(&usage);
}

/* Not ru_maxrss: that is of whatever started this program, too. */
static long peak_rss(void)
{
	char line[256];
	long kib = 0;
	FILE *status = fopen("/proc/self/status", "re");

	while (status && fgets(line, sizeof(line), status) && sscanf(line, "VmHWM: %ld", &kib) != 1)
		;
	if (status)
		fclose(status);
	return kib * 1024;
}

/* ---- devices ---- */

static void set_state(struct device *device, enum state state)
{
	struct feature feature = { sizeof(feature), SET_MIG_DEVICE_STATE, state, -1 };

	if (device->memory)
		return;
	if (ioctl(device->fd, VFIO_DEVICE_FEATURE, &feature))
		err(1, "%s: to state %d", device->name, state);
	if (feature.data_fd >= 0)
		device->data = feature.data_fd;
}

/* A memfd whose pages are all there, and do not compress. */
static void open_memory(struct device *device)
{
	size_t size = strtoull(device->name + strlen("memory:"), NULL, 0);
	uint64_t word = 0x9e3779b97f4a7c15, *words = (uint64_t *)device->buffer;

	device->memory = true;
	device->data = memfd_create("vfio_copy", MFD_CLOEXEC);
	for (size_t at = 0, n; at < size; at += n) {
		n = size - at < (size_t)chunk ? size - at : (size_t)chunk;
		for (size_t i = 0; i < n / sizeof(word); i++) {
			word ^= word << 13;
			word ^= word >> 7;
			word ^= word << 17;
			words[i] = word;
		}
		if (write(device->data, words, n) != (ssize_t)n)
			err(1, "%s", device->name);
	}
	lseek(device->data, 0, SEEK_SET);
}

static void open_vfio(struct device *device)
{
	int iommu = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	struct bind bind = { sizeof(bind), 0, iommu, 0 };
	struct ioas ioas = { sizeof(ioas), 0, 0 };

	device->fd = open(device->name, O_RDWR | O_CLOEXEC);
	if (iommu < 0 || device->fd < 0 || ioctl(device->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) ||
	    ioctl(iommu, IOMMU_IOAS_ALLOC, &ioas))
		err(1, "%s", device->name);
	struct attach attach = { sizeof(attach), 0, ioas.out_ioas_id };
	if (ioctl(device->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		err(1, "%s", device->name);
}

static void open_device(struct device *device, const char *name)
{
	device->name = name;
	device->peer = -1;
	device->buffer = aligned_alloc(PAGE, chunk);
	if (!device->buffer)
		err(1, "buffer");
	memset(device->buffer, 1, chunk);
	if (!strncmp(name, "memory:", strlen("memory:")))
		open_memory(device);
	else
		open_vfio(device);
}

static struct precopy_info precopy_info(const struct device *device)
{
	struct precopy_info info = { .argsz = sizeof(info) };

	if (!device->memory && ioctl(device->data, VFIO_MIG_GET_PRECOPY_INFO, &info))
		err(1, "%s: GET_PRECOPY_INFO", device->name);
	return info;
}

/* ---- bytes ---- */

static void write_all(int fd, const char *from, size_t length)
{
	while (length) {
		ssize_t n = write(fd, from, length);

		if (n < 0)
			err(1, "write");
		from += n;
		length -= n;
	}
}

static void send_all(int fd, const char *from, size_t length)
{
	while (length) {
		ssize_t n = send(fd, from, length, MSG_NOSIGNAL);

		if (n < 0)
			err(1, "send");
		from += n;
		length -= n;
	}
}

static char receive_byte(int fd)
{
	char byte;

	if (recv(fd, &byte, 1, MSG_WAITALL) != 1)
		errx(1, "the other side has gone");
	return byte;
}

static void expect(int fd, char wanted)
{
	if (receive_byte(fd) != wanted)
		errx(1, "the other side says something else than %c", wanted);
}

static uint32_t crc32c(uint32_t crc, const char *data, size_t length)
{
	uint64_t value = ~crc, word;

	for (; length >= sizeof(word); length -= sizeof(word), data += sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		value = _mm_crc32_u64(value, word);
	}
	for (; length; length--, data++)
		value = _mm_crc32_u8(value, *data);
	return ~(uint32_t)value;
}

/* Reads once and sends what came: how much that was, 0 if there is nothing now. */
static size_t copy(struct device *device)
{
	ssize_t n = read(device->data, device->buffer + device->used, chunk - device->used);

	if (n < 0 && errno == ENOMSG)
		return 0;
	if (n < 0)
		err(1, "%s: read", device->name);
	if (with_crc)
		device->crc = crc32c(device->crc, device->buffer + device->used, n);
	if (direct) {
		device->used += n;
		if (device->used == (size_t)chunk) {
			write_all(device->peer, device->buffer, chunk);
			device->used = 0;
		}
	} else if (to_file) {
		write_all(device->peer, device->buffer, n);
	} else {
		send_all(device->peer, device->buffer, n);
	}
	return n;
}

/* Whole pages go to disk directly; what is left waits for more, or goes by the page cache if this is the end. */
static void bring_to_disk(struct device *device, bool end)
{
	size_t whole = device->used & -PAGE;

	write_all(device->peer, device->buffer, whole);
	device->used -= whole;
	memmove(device->buffer, device->buffer + whole, device->used);
	if (end && device->used) {
		fcntl(device->peer, F_SETFL, 0);
		write_all(device->peer, device->buffer, device->used);
	}
	if (fsync(device->peer))
		err(1, "fsync");
}

/* ---- source ---- */

/* A round of this device is over: does what all devices have left fit into the downtime? */
static void decide(void)
{
	uint64_t initial = 0, left = 0, sent = 0;
	long elapsed = now() - began;

	pthread_mutex_lock(&deciding);
	for (int i = 0; i < count && !stopping; i++) {
		struct precopy_info info = precopy_info(&devices[i]);

		initial += info.initial_bytes;
		left += info.initial_bytes + info.dirty_bytes;
		sent += devices[i].precopy_bytes;
		/* Memory has no figures: it is done when it is. */
		if (devices[i].memory && !devices[i].rounds)
			initial++;
	}
	if (elapsed > max_time * MS || (!initial && (double)left * elapsed <= (double)sent * downtime_limit * MS))
		stopping = true;
	pthread_mutex_unlock(&deciding);
}

static void pre_copy(struct device *device)
{
	int64_t left_in_round = INT64_MAX;

	while (!stopping) {
		size_t n = copy(device);

		device->precopy_bytes += n;
		left_in_round -= n;
		if (n && left_in_round > 0)
			continue;
		if (to_file)
			bring_to_disk(device, false);
		device->rounds++;
		decide();
		struct precopy_info info = stopping ? (struct precopy_info){ 0 } : precopy_info(device);
		left_in_round = info.initial_bytes + info.dirty_bytes;
		if (!n && !stopping)
			usleep(1000);
	}
}

static void *source_thread(void *argument)
{
	struct device *device = argument;
	size_t n;

	set_state(device, PRE_COPY);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	pre_copy(device);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	set_state(device, PRE_COPY_P2P);
	pthread_barrier_wait(&barrier);
	set_state(device, STOP_COPY);
	while ((n = copy(device)))
		device->stop_copy_bytes += n;
	if (to_file)
		bring_to_disk(device, true);
	else
		shutdown(device->peer, SHUT_WR);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void source(int control)
{
	uint64_t precopy_bytes = 0, stop_copy_bytes = 0, rounds = 0;
	struct rusage usage;

	for (int i = 0; i < count; i++)
		pthread_create(&devices[i].thread, NULL, source_thread, &devices[i]);
	pthread_barrier_wait(&barrier);
	long cpu = cpu_now();
	began = now();
	pthread_barrier_wait(&barrier);	/* pre-copy */
	pthread_barrier_wait(&barrier);
	long stopped = now();
	pthread_barrier_wait(&barrier);	/* quiesce */
	pthread_barrier_wait(&barrier);	/* stop, and drain */
	pthread_barrier_wait(&barrier);
	long drained = now(), loaded = drained, running = drained;
	if (control >= 0) {
		for (int i = 0; i < count; i++)
			send_all(control, (char *)&devices[i].crc, sizeof(devices[i].crc));
		expect(control, 'L');
		loaded = now();
		send_all(control, "C", 1);
		expect(control, 'R');
		running = now();
	}
	cpu = cpu_now() - cpu;
	for (int i = 0; i < count; i++) {
		set_state(&devices[i], STOP);
		pthread_join(devices[i].thread, NULL);
		precopy_bytes += devices[i].precopy_bytes;
		stop_copy_bytes += devices[i].stop_copy_bytes;
		rounds = devices[i].rounds > rounds ? devices[i].rounds : rounds;
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"preCopyBytes\":%lu,\"preCopyNanos\":%ld,\"rounds\":%lu,\"stopCopyBytes\":%lu,\"downtimeNanos\":%ld,"
	       "\"drainNanos\":%ld,\"loadNanos\":%ld,\"resumeNanos\":%ld,\"totalNanos\":%ld,\"cpuNanos\":%ld,"
	       "\"processCpuNanos\":%ld,\"peakRssBytes\":%ld,\"crc\":%s}\n",
	       precopy_bytes, stopped - began, rounds, stop_copy_bytes, running - stopped, drained - stopped, loaded - drained,
	       running - loaded, running - began, cpu, cpu_nanos(&usage), peak_rss(), with_crc ? "true" : "false");
}

/* ---- destination ---- */

static void *destination_thread(void *argument)
{
	struct device *device = argument;
	ssize_t n;

	while ((n = to_file ? read(device->peer, device->buffer, chunk) : recv(device->peer, device->buffer, chunk, 0)) > 0) {
		if (with_crc)
			device->crc = crc32c(device->crc, device->buffer, n);
		write_all(device->data, device->buffer, n);
		device->precopy_bytes += n;
	}
	if (n < 0)
		err(1, "recv");
	set_state(device, STOP);
	return NULL;
}

static void destination(int control)
{
	uint64_t bytes = 0;
	struct rusage usage;
	uint32_t crc;
	long cpu = cpu_now();

	began = now();
	for (int i = 0; i < count; i++)
		pthread_create(&devices[i].thread, NULL, destination_thread, &devices[i]);
	for (int i = 0; i < count; i++) {
		pthread_join(devices[i].thread, NULL);
		bytes += devices[i].precopy_bytes;
	}
	if (control >= 0) {
		for (int i = 0; i < count; i++) {
			if (recv(control, &crc, sizeof(crc), MSG_WAITALL) != sizeof(crc) || crc != devices[i].crc)
				errx(1, "%s: the checksums differ", devices[i].name);
		}
		send_all(control, "L", 1);
		expect(control, 'C');
	}
	for (int i = 0; i < count; i++)
		set_state(&devices[i], RUNNING_P2P);
	for (int i = 0; i < count; i++)
		set_state(&devices[i], RUNNING);
	if (control >= 0)
		send_all(control, "R", 1);
	long ended = now();
	cpu = cpu_now() - cpu;
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"loadedBytes\":%lu,\"totalNanos\":%ld,\"cpuNanos\":%ld,\"processCpuNanos\":%ld,\"peakRssBytes\":%ld,\"crc\":%s}\n",
	       bytes, ended - began, cpu, cpu_nanos(&usage), peak_rss(), with_crc ? "true" : "false");
}

/* ---- peers and files ---- */

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_un un;
};

static socklen_t parse_peer(const char *peer, union address *address)
{
	char host[64];
	unsigned short port;

	memset(address, 0, sizeof(*address));
	if (!strncmp(peer, "unix:", 5) && strlen(peer + 5) < sizeof(address->un.sun_path)) {
		address->un.sun_family = AF_UNIX;
		strcpy(address->un.sun_path, peer + 5);
		return sizeof(address->un);
	}
	if (sscanf(peer, "tcp:%63[^:]:%hu", host, &port) != 2 || inet_pton(AF_INET, host, &address->in.sin_addr) != 1)
		errx(2, "%s: no peer; say tcp:HOST:PORT or unix:PATH", peer);
	address->in.sin_family = AF_INET;
	address->in.sin_port = htons(port);
	return sizeof(address->in);
}

static int make_socket(const union address *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "socket");
	return fd;
}

static int no_delay(int fd, const union address *address)
{
	int on = 1;

	if (address->any.sa_family == AF_INET)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static int connect_to(const union address *address, socklen_t size)
{
	int fd = make_socket(address);

	if (connect(fd, &address->any, size))
		err(1, "connect");
	return no_delay(fd, address);
}

/* The control connection first, then one for each device. */
static int connect_all(const char *peer)
{
	union address address;
	socklen_t size = parse_peer(peer, &address);
	int control = connect_to(&address, size);

	for (int i = 0; i < count; i++)
		devices[i].peer = connect_to(&address, size);
	return control;
}

static int accept_all(const char *peer)
{
	union address address, bound;
	socklen_t size = parse_peer(peer, &address), bound_size = sizeof(bound);
	int listener = make_socket(&address);

	if (bind(listener, &address.any, size) || listen(listener, MOST_DEVICES + 1) ||
	    getsockname(listener, &bound.any, &bound_size))
		err(1, "%s", peer);
	if (address.any.sa_family == AF_INET)
		fprintf(stderr, "listening on tcp:%s:%d\n", inet_ntoa(bound.in.sin_addr), ntohs(bound.in.sin_port));
	else
		fprintf(stderr, "listening on %s\n", peer);
	int control = accept(listener, NULL, NULL);
	for (int i = 0; i < count && control >= 0; i++) {
		devices[i].peer = accept(listener, NULL, NULL);
		if (devices[i].peer < 0)
			err(1, "accept");
	}
	if (control < 0)
		err(1, "accept");
	return no_delay(control, &address);
}

static void open_files(const char *file, int flags)
{
	char name[4096];

	for (int i = 0; i < count; i++) {
		if (i)
			snprintf(name, sizeof(name), "%s.%d", file, i);
		devices[i].peer = open(i ? name : file, flags | O_CLOEXEC, 0600);
		if (devices[i].peer < 0)
			err(1, "%s", file);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "downtime-limit", required_argument, NULL, 'l' }, { "max-time", required_argument, NULL, 't' },
		{ "chunk", required_argument, NULL, 'b' },	    { "crc", no_argument, NULL, 'c' },
		{ "direct", no_argument, NULL, 'd' },		    { 0 },
	};
	static const char usage[] = "usage: vfio_copy send|receive|save|load [OPTION...] PEER|FILE DEVICE...; its source says more";
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'l': downtime_limit = atol(optarg); break;
		case 't': max_time = atol(optarg); break;
		case 'b': chunk = atol(optarg); break;
		case 'c': with_crc = true; break;
		case 'd': direct = true; break;
		default: return 2;
		}
	}
	count = argc - optind - 2;
	if (count < 1 || count > MOST_DEVICES || chunk < PAGE || chunk % PAGE)
		errx(2, "%s", usage);
	const char *verb = argv[optind], *target = argv[optind + 1];
	for (int i = 0; i < count; i++)
		open_device(&devices[i], argv[optind + 2 + i]);
	pthread_barrier_init(&barrier, NULL, count + 1);
	if (!strcmp(verb, "send")) {
		source(connect_all(target));
	} else if (!strcmp(verb, "save")) {
		to_file = true;
		open_files(target, O_WRONLY | O_CREAT | O_TRUNC | (direct ? O_DIRECT : 0));
		source(-1);
	} else if (!strcmp(verb, "receive") || !strcmp(verb, "load")) {
		to_file = !strcmp(verb, "load");
		for (int i = 0; i < count; i++)
			set_state(&devices[i], RESUMING);
		if (to_file)
			open_files(target, O_RDONLY);
		destination(to_file ? -1 : accept_all(target));
	} else {
		errx(2, "%s", usage);
	}
	return 0;
}
