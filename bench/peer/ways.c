// SPDX-License-Identifier: Apache-2.0
/*
 * The ways that a byte can take from a driver's fd into a socket, side by side: what each would gain over read and send,
 * before anybody builds it into vfio4j. The driver is a memfd, which is what the emulator's devices hold; the peer is a thread
 * that receives into one buffer.
 *
 *   ways [MEBIBYTES [ROUNDS]]     default 1024 5
 *
 * Each round runs all of them, in an order that moves on by one. Shown are rate and sender's processor time, each divided by
 * those of "read, send" of the same round: the median, with the least and the greatest. Every run moves the same bytes, and the
 * peer's sum over them is compared.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, HEADER = 32, BUFFERS = 8, CONNECTIONS = 2 };

static size_t total;
static int source;

static double seconds(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static char *buffers(int count, int advice)
{
	size_t size = (size_t)count * CHUNK;
	char *memory = mmap(NULL, size + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	memory = (char *)(((uintptr_t)memory + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
	if (advice)
		madvise(memory, size, advice);
	return memory;
}

/* ---- the peer ---- */

struct peer {
	int fd;
	size_t bytes;
	pthread_t thread;
};

static void *receive(void *argument)
{
	struct peer *peer = argument;
	char *buffer = buffers(1, 0);
	ssize_t got;
	while ((got = recv(peer->fd, buffer, CHUNK, 0)) > 0)
		peer->bytes += got;
	if (got < 0)
		err(1, "recv");
	munmap(buffer, CHUNK);
	close(peer->fd);
	return NULL;
}

static int connect_peer(struct peer *peer, int buffer_bytes)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int one = 1;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (buffer_bytes) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
		setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
	}
	if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1) ||
	    getsockname(listener, (void *)&address, &length) || connect(fd, (void *)&address, length))
		err(1, "connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	peer->fd = accept(listener, NULL, NULL);
	peer->bytes = 0;
	close(listener);
	pthread_create(&peer->thread, NULL, receive, peer);
	return fd;
}

static void send_all(int fd, const char *from, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, from, length, MSG_NOSIGNAL);
		if (sent < 0)
			err(1, "send");
		from += sent;
		length -= sent;
	}
}

static size_t read_chunk(char *to, size_t left)
{
	ssize_t got = read(source, to, left < CHUNK ? left : CHUNK);
	if (got <= 0)
		err(1, "read");
	return got;
}

/* ---- the ways: each moves all bytes and returns when all is in the socket ---- */

static void copy(int fd, char *buffer)
{
	for (size_t left = total; left > 0;) {
		size_t got = read_chunk(buffer, left);
		send_all(fd, buffer, got);
		left -= got;
	}
}

static void plain(int fd)
{
	char *buffer = buffers(1, 0);
	copy(fd, buffer);
	munmap(buffer, CHUNK);
}

static void huge(int fd)
{
	char *buffer = buffers(2, MADV_HUGEPAGE);
	memset(buffer, 1, 2 * CHUNK);
	copy(fd, buffer);
	munmap(buffer, 2 * CHUNK);
}

static void touched(int fd)
{
	char *buffer = buffers(1, 0);
	memset(buffer, 1, CHUNK);
	copy(fd, buffer);
	munmap(buffer, CHUNK);
}

/* A header in memory of its own, as a writer without head-room would send it. The peer counts it out. */
static void gather(int fd)
{
	static char header[HEADER];
	char *buffer = buffers(1, 0);
	for (size_t left = total; left > 0;) {
		size_t got = read_chunk(buffer, left);
		struct iovec vector[] = {{header, HEADER}, {buffer, got}};
		ssize_t sent = writev(fd, vector, 2);
		if (sent < HEADER)
			err(1, "writev");
		send_all(fd, buffer + sent - HEADER, got + HEADER - sent);
		left -= got;
	}
	munmap(buffer, CHUNK);
}

static void kernel_only(int fd)
{
	for (size_t left = total; left > 0;) {
		ssize_t sent = sendfile(fd, source, NULL, left < CHUNK ? left : CHUNK);
		if (sent <= 0)
			err(1, "sendfile");
		left -= sent;
	}
}

static void zero_copy(int fd)
{
	int one = 1;
	uint64_t sends = 0, completed = 0, writes[BUFFERS] = {0};
	char *memory = buffers(BUFFERS, 0);
	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one))
		err(1, "SO_ZEROCOPY");
	int at = 0;
	for (size_t left = total; left > 0; at = (at + 1) % BUFFERS) {
		while (completed < writes[at]) {
			char control[128];
			struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
			if (recvmsg(fd, &message, MSG_ERRQUEUE) < 0) {
				struct pollfd errors = {.fd = fd};
				if (errno != EAGAIN || poll(&errors, 1, 10000) <= 0)
					err(1, "completion");
				continue;
			}
			struct sock_extended_err *entry = (void *)CMSG_DATA(CMSG_FIRSTHDR(&message));
			completed += entry->ee_data - entry->ee_info + 1;
		}
		char *buffer = memory + (size_t)at * CHUNK;
		size_t got = read_chunk(buffer, left);
		for (size_t done = 0; done < got;) {
			ssize_t sent = send(fd, buffer + done, got - done, MSG_ZEROCOPY | MSG_NOSIGNAL);
			if (sent < 0 && errno == ENOBUFS)
				sent = send(fd, buffer + done, got - done, MSG_NOSIGNAL);
			else if (sent > 0)
				sends++;
			if (sent < 0)
				err(1, "send");
			done += sent;
		}
		writes[at] = sends;
		left -= got;
	}
	munmap(memory, (size_t)BUFFERS * CHUNK);
}

/* read and send of one buffer linked, two pairs under way. */
static void uring(int fd)
{
	struct io_uring_params params = {0};
	int ring = syscall(SYS_io_uring_setup, 8, &params);
	if (ring < 0)
		err(1, "io_uring_setup");
	size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
	size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
	char *sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	char *cq = mmap(NULL, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
	struct io_uring_sqe *sqes = mmap(NULL, params.sq_entries * sizeof *sqes, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqes == MAP_FAILED)
		err(1, "io_uring: mmap");
	_Atomic unsigned *sq_tail = (void *)(sq + params.sq_off.tail);
	unsigned *array = (void *)(sq + params.sq_off.array);
	unsigned sq_mask = *(unsigned *)(sq + params.sq_off.ring_mask);
	_Atomic unsigned *cq_head = (void *)(cq + params.cq_off.head), *cq_tail = (void *)(cq + params.cq_off.tail);
	unsigned cq_mask = *(unsigned *)(cq + params.cq_off.ring_mask);
	struct io_uring_cqe *cqes = (void *)(cq + params.cq_off.cqes);
	char *memory = buffers(2, 0);
	off_t offset = 0;
	unsigned under_way = 0;
	for (size_t done = 0, asked = 0; done < total;) {
		while (under_way < 2 && asked < total) {
			size_t length = total - asked < CHUNK ? total - asked : CHUNK;
			char *buffer = memory + (asked / CHUNK % 2) * CHUNK;
			for (int step = 0; step < 2; step++) {
				unsigned index = *sq_tail & sq_mask;
				sqes[index] = (struct io_uring_sqe){
					.opcode = step ? IORING_OP_SEND : IORING_OP_READ,
					.fd = step ? fd : source,
					.off = step ? 0 : offset,
					.addr = (uintptr_t)buffer,
					.len = length,
					.msg_flags = step ? MSG_WAITALL : 0,
					/* The next pair's send comes after this one's: the chain goes on. */
					.flags = IOSQE_IO_LINK * !(step && under_way),
					.user_data = step ? length : 0,
				};
				array[index] = index;
				atomic_store_explicit(sq_tail, *sq_tail + 1, memory_order_release);
			}
			offset += length;
			asked += length;
			under_way++;
		}
		/* A chain is sent off whole, so that its order is the stream's. */
		if (syscall(SYS_io_uring_enter, ring, under_way * 2, under_way * 2, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			err(1, "io_uring_enter");
		for (; *cq_head != atomic_load_explicit(cq_tail, memory_order_acquire); (*cq_head)++) {
			struct io_uring_cqe *entry = &cqes[*cq_head & cq_mask];
			if (entry->res < 0)
				errx(1, "io_uring: %s", strerror(-entry->res));
			if (entry->user_data) {
				if ((uint64_t)entry->res != entry->user_data)
					errx(1, "io_uring: a short send");
				done += entry->res;
				under_way--;
			}
		}
	}
	munmap(memory, 2 * CHUNK);
	munmap(sqes, params.sq_entries * sizeof *sqes);
	munmap(cq, cq_size);
	munmap(sq, sq_size);
	close(ring);
}

/* One stream over several connections: the reader hands chunks round, a thread each sends them. */
struct lane {
	int fd;
	char *memory;
	size_t lengths[BUFFERS];
	_Atomic unsigned filled, sent;
	pthread_t thread;
};

static void *send_lane(void *argument)
{
	struct lane *lane = argument;
	for (;; lane->sent++) {
		while (lane->filled == lane->sent)
			sched_yield();
		size_t length = lane->lengths[lane->sent % BUFFERS];
		if (length == 0)
			return NULL;
		send_all(lane->fd, lane->memory + (size_t)(lane->sent % BUFFERS) * CHUNK, length);
	}
}

static void lanes(int first, int second)
{
	struct lane lanes[CONNECTIONS] = {{.fd = first}, {.fd = second}};
	for (int i = 0; i < CONNECTIONS; i++) {
		lanes[i].memory = buffers(BUFFERS, 0);
		pthread_create(&lanes[i].thread, NULL, send_lane, &lanes[i]);
	}
	size_t left = total;
	for (int i = 0, ended = 0; ended < CONNECTIONS; i = (i + 1) % CONNECTIONS) {
		struct lane *lane = &lanes[i];
		while (lane->filled - lane->sent == BUFFERS)
			sched_yield();
		size_t got = left ? read_chunk(lane->memory + (size_t)(lane->filled % BUFFERS) * CHUNK, left) : 0;
		lane->lengths[lane->filled % BUFFERS] = got;
		lane->filled++;
		left -= got;
		ended += got == 0;
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		pthread_join(lanes[i].thread, NULL);
		munmap(lanes[i].memory, (size_t)BUFFERS * CHUNK);
	}
}

static struct way {
	const char *name;
	void (*run)(int fd);
	int buffer_bytes;
	size_t beside;
} ways[] = {
	{"read, send", plain, 0, 0},
	{"buffers touched before", touched, 0, 0},
	{"buffers in huge pages", huge, 0, 0},
	{"SO_SNDBUF, SO_RCVBUF 256 KiB", plain, 256 << 10, 0},
	{"SO_SNDBUF, SO_RCVBUF 4 MiB", plain, 4 << 20, 0},
	{"read, writev with a header apart", gather, 0, HEADER},
	{"read, MSG_ZEROCOPY", zero_copy, 0, 0},
	{"io_uring, read and send linked", uring, 0, 0},
	{"sendfile: no byte in user space", kernel_only, 0, 0},
	{"two connections, a thread each", NULL, 0, 0},
};
enum { WAYS = sizeof ways / sizeof *ways };

static void run(struct way *way, double *rate, double *cpu)
{
	struct peer peers[CONNECTIONS];
	int count = way->run ? 1 : CONNECTIONS, fds[CONNECTIONS];
	for (int i = 0; i < count; i++)
		fds[i] = connect_peer(&peers[i], way->buffer_bytes);
	lseek(source, 0, SEEK_SET);
	struct rusage before, after;
	getrusage(way->run ? RUSAGE_THREAD : RUSAGE_SELF, &before);
	double begin = seconds(CLOCK_MONOTONIC);
	if (way->run)
		way->run(fds[0]);
	else
		lanes(fds[0], fds[1]);
	getrusage(way->run ? RUSAGE_THREAD : RUSAGE_SELF, &after);
	size_t received = 0;
	for (int i = 0; i < count; i++) {
		shutdown(fds[i], SHUT_WR);
		pthread_join(peers[i].thread, NULL);
		received += peers[i].bytes;
		close(fds[i]);
	}
	double took = seconds(CLOCK_MONOTONIC) - begin;
	size_t chunks = (total + CHUNK - 1) / CHUNK;
	if (received != total + way->beside * chunks)
		errx(1, "%s: %zu of %zu bytes came", way->name, received, total);
	*rate = total / took;
	*cpu = after.ru_utime.tv_sec - before.ru_utime.tv_sec + (after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6 +
	       after.ru_stime.tv_sec - before.ru_stime.tv_sec + (after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void show(double *ratios, int count)
{
	qsort(ratios, count, sizeof *ratios, compare);
	printf("  %5.2f (%4.2f...%4.2f)", ratios[count / 2], ratios[0], ratios[count - 1]);
}

int main(int count, char **arguments)
{
	long mebibytes = count > 1 ? atol(arguments[1]) : 1024;
	int rounds = count > 2 ? atoi(arguments[2]) : 5;
	if (mebibytes < 1 || rounds < 1 || rounds > 1000 || count > 3)
		errx(2, "use: ways [MEBIBYTES [ROUNDS]]");
	total = (size_t)mebibytes << 20;
	source = memfd_create("state", 0);
	if (source < 0 || ftruncate(source, total))
		err(1, "memfd");
	char *state = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED, source, 0);
	memset(state, 0x5a, total);
	double(*rates)[WAYS] = calloc(rounds, sizeof *rates), (*cpus)[WAYS] = calloc(rounds, sizeof *cpus);
	run(&ways[0], &rates[0][0], &cpus[0][0]);
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < WAYS; i++) {
			int way = (round + i) % WAYS;
			run(&ways[way], &rates[round][way], &cpus[round][way]);
		}
	printf("%ld MiB, %d rounds, %ld processors\n%-34s  %18s  %18s\n", mebibytes, rounds, sysconf(_SC_NPROCESSORS_ONLN), "",
	       "rate", "sender's CPU");
	double *ratios = calloc(rounds, sizeof *ratios);
	for (int way = 0; way < WAYS; way++) {
		printf("%-34s", ways[way].name);
		for (int round = 0; round < rounds; round++)
			ratios[round] = rates[round][way] / rates[round][0];
		show(ratios, rounds);
		for (int round = 0; round < rounds; round++)
			ratios[round] = cpus[round][way] / cpus[round][0];
		/* What other threads do, the kernel's of io_uring among them, is not in the sender's time. */
		if (ways[way].run && ways[way].run != uring)
			show(ratios, rounds);
		printf("\n");
	}
	return 0;
}
