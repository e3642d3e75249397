// SPDX-License-Identifier: Apache-2.0
/*
 * Proves that the lab works, without any Java: mtty and the test device opened in both ways, the state machines
 * against fsm-matrix.txt, a migration of a device that is being dirtied, faults, and the DMA log. Runs inside the
 * lab, started by it/lab/selftest. With "speed SIZE" it measures read() -> loopback TCP -> write() instead.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MIB (1024UL * 1024)
#define CHECK(condition, ...) check(condition, __LINE__, #condition, "" __VA_ARGS__)

/* Since Linux 7: not in the headers of older hosts */
#define FEATURE_MIG_PRECOPY_INFOV2 12
#define PRECOPY_INFO_REINIT 1

static int failures, checks;

static void check(bool ok, int line, const char *condition, const char *format, ...)
{
	va_list args;

	checks++;
	if (ok)
		return;
	failures++;
	printf("FAILED line %d: %s ", line, condition);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("(errno %d)\n", errno);
}

static _Noreturn void stop(const char *what)
{
	printf("FAILED: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A mediated device: the four lines of it/lab/mdev */
struct mdev {
	char uuid[64], sysfs[256], cdev[256], group[256];
};

struct device {
	int fd, group, iommu;
	unsigned int ioas;
};

static const char *mdev_tool;

static struct mdev mdev_create(const char *type)
{
	struct mdev mdev;
	char command[512];

	snprintf(command, sizeof(command), "%s create %s", mdev_tool, type);
	FILE *pipe = popen(command, "r");
	if (!pipe || fscanf(pipe, "%63s %255s %255s %255s", mdev.uuid, mdev.sysfs, mdev.cdev, mdev.group) != 4)
		stop(command);
	pclose(pipe);
	return mdev;
}

static void mdev_remove(const struct mdev *mdev)
{
	char command[512];

	snprintf(command, sizeof(command), "%s remove %s", mdev_tool, mdev->uuid);
	CHECK(system(command) == 0);
}

static int try_set(const struct mdev *mdev, const char *attribute, const char *value)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/testdev/%s", mdev->sysfs, attribute);
	int fd = open(path, O_WRONLY);
	if (fd < 0)
		stop(path);
	int result = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	return result;
}

static void set(const struct mdev *mdev, const char *attribute, const char *value)
{
	int error = try_set(mdev, attribute, value);

	CHECK(error == 0, "%s = %s: %d ", attribute, value, error);
}

static const char *get(const struct mdev *mdev, const char *attribute)
{
	static char text[4][8192];
	static int turn;
	char path[512], *to = text[turn++ % 4];

	snprintf(path, sizeof(path), "%s/testdev/%s", mdev->sysfs, attribute);
	int fd = open(path, O_RDONLY);
	ssize_t length = read(fd, to, sizeof(text[0]) - 1);
	if (length < 0)
		stop(path);
	close(fd);
	to[length] = 0;
	return to;
}

static struct device open_cdev(const struct mdev *mdev)
{
	struct device device = { .fd = open(mdev->cdev, O_RDWR), .group = -1, .iommu = open("/dev/iommu", O_RDWR) };
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = device.iommu };
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = 12 };

	if (device.fd < 0 || device.iommu < 0 || ioctl(device.fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) ||
	    ioctl(device.iommu, IOMMU_IOAS_ALLOC, &ioas))
		stop(mdev->cdev);
	attach.pt_id = device.ioas = ioas.out_ioas_id;
	if (ioctl(device.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		stop("ATTACH_IOMMUFD_PT");
	return device;
}

static struct device open_group(const struct mdev *mdev)
{
	struct device device = { .group = open(mdev->group, O_RDWR), .iommu = open("/dev/vfio/vfio", O_RDWR) };

	if (device.group < 0 || device.iommu < 0 || ioctl(device.group, VFIO_GROUP_SET_CONTAINER, &device.iommu) ||
	    ioctl(device.iommu, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		stop(mdev->group);
	device.fd = ioctl(device.group, VFIO_GROUP_GET_DEVICE_FD, mdev->uuid);
	if (device.fd < 0)
		stop("GET_DEVICE_FD");
	return device;
}

static void close_device(struct device *device)
{
	close(device->fd);
	if (device->group >= 0)
		close(device->group);
	close(device->iommu);
}

static int feature(const struct device *device, unsigned int flags, void *data, size_t size)
{
	char buffer[256] = { 0 };
	struct vfio_device_feature *header = (void *)buffer;

	header->argsz = sizeof(*header) + size;
	header->flags = flags;
	memcpy(header->data, data, size);
	int result = ioctl(device->fd, VFIO_DEVICE_FEATURE, buffer) ? -errno : 0;
	memcpy(data, header->data, size);
	return result;
}

static int set_state(const struct device *device, unsigned int state, int *data_fd)
{
	struct vfio_device_feature_mig_state mig = { .device_state = state, .data_fd = -7 };
	int result = feature(device, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &mig, sizeof(mig));

	if (data_fd)
		*data_fd = mig.data_fd;
	else if (mig.data_fd >= 0)
		close(mig.data_fd);
	return result;
}

static int get_state(const struct device *device)
{
	struct vfio_device_feature_mig_state mig = { 0 };

	if (feature(device, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &mig, sizeof(mig)))
		stop("GET MIG_DEVICE_STATE");
	return mig.device_state;
}

static int64_t data_size(const struct device *device)
{
	struct vfio_device_feature_mig_data_size size = { 0 };
	int error = feature(device, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, &size, sizeof(size));

	return error ? error : (int64_t)size.stop_copy_length;
}

static uint64_t migration_flags(const struct device *device)
{
	struct vfio_device_feature_migration migration = { 0 };

	if (feature(device, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION, &migration, sizeof(migration)))
		stop("GET MIGRATION");
	return migration.flags;
}

static void reset(const struct device *device)
{
	CHECK(ioctl(device->fd, VFIO_DEVICE_RESET) == 0);
	CHECK(get_state(device) == VFIO_DEVICE_STATE_RUNNING);
}

static int precopy_info(int fd, struct vfio_precopy_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	return ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, info) ? -errno : 0;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* ---- the state machine ---- */

static const char *const names[] = { "ERROR", "STOP", "RUNNING", "STOP_COPY", "RESUMING",
				     "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P", "8", "9" };

/* Compares every transition with what was recorded for the same migration flags. */
static void test_matrix(const char *type, const char *matrix)
{
	struct mdev mdev = mdev_create(type);
	struct device device = open_cdev(&mdev);
	unsigned int flags = migration_flags(&device), section = 0;
	char line[256], expected[256], actual[256];
	int lines = 0, fd;
	FILE *file = fopen(matrix, "r");

	if (!file)
		stop(matrix);
	while (fgets(line, sizeof(line), file)) {
		char from[32], to[32];

		sscanf(line, "migration_flags=%u", &section);
		line[strcspn(line, "\n")] = 0;
		if (section != flags || sscanf(line, "%31s -> %31s", from, to) != 2)
			continue;
		strcpy(expected, strstr(line, "ret="));
		reset(&device);
		int from_state = 0, to_state = 0;
		while (strcmp(names[from_state], from))
			from_state++;
		while (strcmp(names[to_state], to))
			to_state++;
		CHECK(set_state(&device, from_state, NULL) == 0, "%s ", from);
		int result = set_state(&device, to_state, &fd);
		snprintf(actual, sizeof(actual), "ret=%d fd=%s now=%s", result, fd >= 0 ? "new" : fd == -1 ? "-1" : "?",
			 names[get_state(&device)]);
		CHECK(!strcmp(actual, expected), "%s %s -> %s: expected %s, was %s ", type, from, to, expected, actual);
		if (fd >= 0)
			close(fd);
		lines++;
	}
	fclose(file);
	CHECK(lines >= 40, "%d transitions ", lines);
	CHECK(set_state(&device, VFIO_DEVICE_STATE_STOP_COPY, NULL) == 0);
	char nothing;
	int v2 = feature(&device, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PROBE | FEATURE_MIG_PRECOPY_INFOV2, &nothing, 0);
	CHECK(v2 == (flags & VFIO_MIGRATION_PRE_COPY ? 0 : -EINVAL));
	printf("%-24s flags %u: %d transitions\n", type, flags, lines);
	close_device(&device);
	mdev_remove(&mdev);
}

/* ---- mtty ---- */

static void test_mtty(void)
{
	struct mdev mdev = mdev_create("mtty-2");

	for (int way = 0; way < 2; way++) {
		struct device device = way ? open_group(&mdev) : open_cdev(&mdev);
		char buffer[4096];
		int fd;

		CHECK(migration_flags(&device) == 7);
		/* mtty keeps its state when it is closed. */
		reset(&device);
		CHECK(set_state(&device, VFIO_DEVICE_STATE_STOP_COPY, &fd) == 0);
		CHECK(read(fd, buffer, sizeof(buffer)) == 96);
		CHECK(read(fd, buffer, sizeof(buffer)) == 0);
		close(fd);
		close_device(&device);
	}
	mdev_remove(&mdev);
}

/* ---- save and load ---- */

static char *buffer;
static const size_t buffer_size = MIB;

static void write_all(int fd, const char *from, size_t length)
{
	while (length) {
		ssize_t n = write(fd, from, length);
		if (n < 0)
			stop("write");
		from += n;
		length -= n;
	}
}

/* Moves what is there now to the other file. Returns how much that was, and the last read's answer. */
static size_t pump(int from, int to, ssize_t *last)
{
	size_t total = 0;
	ssize_t n;

	while ((n = read(from, buffer, buffer_size)) > 0) {
		write_all(to, buffer, n);
		total += n;
	}
	*last = n < 0 ? -errno : 0;
	return total;
}

static void test_migration(bool group, const char *drained)
{
	struct mdev a = mdev_create("vfio4j_testdev-full"), b = mdev_create("vfio4j_testdev-full");
	bool zero = !strcmp(drained, "zero");
	struct vfio_precopy_info info;
	int save, load, rounds = 0;
	size_t precopied = 0, rest;
	ssize_t last;

	set(&a, "size", "67108864");
	set(&b, "size", "67108864");
	set(&a, "drained", drained);
	CHECK(strcmp(get(&a, "digest"), get(&b, "digest")) != 0, "fresh devices are alike ");
	struct device source = group ? open_group(&a) : open_cdev(&a);
	struct device target = group ? open_group(&b) : open_cdev(&b);
	struct vfio_device_info device_info = { .argsz = sizeof(device_info) };
	CHECK(ioctl(source.fd, VFIO_DEVICE_GET_INFO, &device_info) == 0);
	CHECK(device_info.num_regions == 9 && device_info.num_irqs == 5 && device_info.flags == 3);
	int64_t whole = data_size(&source);
	CHECK(whole == 64 * (int64_t)MIB + 24 + 16 * 24 + 40, "%ld ", (long)whole);

	set(&a, "dirty_rate", "104857600");
	CHECK(set_state(&target, VFIO_DEVICE_STATE_RESUMING, &load) == 0);
	CHECK(set_state(&source, VFIO_DEVICE_STATE_PRE_COPY, &save) == 0);
	CHECK(precopy_info(save, &info) == 0 && info.initial_bytes == 64 * MIB);
	CHECK(precopy_info(load, &info) == -ENOTTY);
	for (; rounds < 8; rounds++) {
		CHECK(precopy_info(save, &info) == 0);
		CHECK(!rounds || !info.initial_bytes);
		precopied += pump(save, load, &last);
		CHECK(last == (zero ? 0 : -ENOMSG), "%zd ", last);
		usleep(20000);
	}
	CHECK(precopy_info(save, &info) == 0 && info.dirty_bytes >= MIB && info.dirty_bytes < 32 * MIB, "%llu ",
	      (unsigned long long)info.dirty_bytes);
	double start = now();
	CHECK(set_state(&source, VFIO_DEVICE_STATE_STOP_COPY, NULL) == 0);
	CHECK(precopy_info(save, &info) == -EINVAL);
	int64_t expected = data_size(&source);
	rest = pump(save, load, &last);
	CHECK(last == 0 && read(save, buffer, buffer_size) == 0);
	CHECK((size_t)expected == rest, "estimate %ld, real %zu ", (long)expected, rest);
	double drained_at = now();
	CHECK(set_state(&target, VFIO_DEVICE_STATE_STOP, NULL) == 0);
	double loaded_at = now();
	CHECK(!strcmp(get(&a, "digest"), get(&b, "digest")));
	CHECK(set_state(&target, VFIO_DEVICE_STATE_RUNNING, NULL) == 0);
	CHECK(set_state(&source, VFIO_DEVICE_STATE_STOP, NULL) == 0);
	CHECK(read(save, buffer, 1) == -1 && errno == ENODEV);
	CHECK(write(load, buffer, 1) == -1 && errno == ENODEV);
	printf("migration by %s, drained=%s: %d rounds, %zu + %zu bytes, drain %.1f ms, load check %.1f ms\n",
	       group ? "group" : "cdev", drained, rounds, precopied, rest, (drained_at - start) * 1e3,
	       (loaded_at - drained_at) * 1e3);

	/* A second session on the same device, and REINIT */
	close(save);
	set(&a, "dirty_rate", "0");
	set(&a, "initial_bytes", "8388608");
	char nothing;
	CHECK(feature(&source, VFIO_DEVICE_FEATURE_SET | FEATURE_MIG_PRECOPY_INFOV2, &nothing, 0) == 0);
	CHECK(set_state(&source, VFIO_DEVICE_STATE_PRE_COPY, &save) == 0);
	CHECK(precopy_info(save, &info) == 0 && info.initial_bytes == 8 * MIB && info.dirty_bytes == 56 * MIB);
	while (read(save, buffer, buffer_size) > 0)
		;
	CHECK(precopy_info(save, &info) == 0 && !info.initial_bytes && !info.dirty_bytes && !info.flags);
	set(&a, "reinit", "1048576");
	CHECK(precopy_info(save, &info) == 0 && info.initial_bytes == MIB && !info.dirty_bytes &&
	      info.flags == PRECOPY_INFO_REINIT);
	CHECK(precopy_info(save, &info) == 0 && info.initial_bytes == MIB && !info.flags);
	CHECK(read(save, buffer, 1000) == 1000);
	CHECK(precopy_info(save, &info) == 0 && info.initial_bytes == MIB - (1000 - 24));
	CHECK(try_set(&a, "size", "4194304") == -EBUSY);
	close(save);
	close(load);
	close_device(&source);
	close_device(&target);
	mdev_remove(&a);
	mdev_remove(&b);
}

/* ---- what goes wrong ---- */

static size_t read_stream(const struct device *device, char *stream, size_t capacity)
{
	size_t total = 0;
	ssize_t n;
	int fd;

	CHECK(set_state(device, VFIO_DEVICE_STATE_STOP_COPY, &fd) == 0);
	while ((n = read(fd, stream + total, capacity - total)) > 0)
		total += n;
	CHECK(n == 0);
	close(fd);
	return total;
}

/* Loads a stream; returns the answer to the first write that fails, or to RESUMING -> STOP. */
static int load_stream(const struct device *device, const char *stream, size_t length, size_t piece)
{
	int fd, result;

	CHECK(set_state(device, VFIO_DEVICE_STATE_RESUMING, &fd) == 0);
	for (size_t at = 0; at < length;) {
		ssize_t n = write(fd, stream + at, length - at < piece ? length - at : piece);

		if (n < 0) {
			result = -errno;
			CHECK(set_state(device, VFIO_DEVICE_STATE_STOP, NULL) == -EINVAL);
			goto out;
		}
		at += n;
	}
	result = set_state(device, VFIO_DEVICE_STATE_STOP, NULL);
out:
	CHECK(get_state(device) == (result ? VFIO_DEVICE_STATE_RESUMING : VFIO_DEVICE_STATE_STOP));
	close(fd);
	return result;
}

static void test_faults(void)
{
	struct mdev a = mdev_create("vfio4j_testdev-full"), b = mdev_create("vfio4j_testdev-full");
	struct device source = open_cdev(&a), target = open_cdev(&b);
	const size_t capacity = 8 * MIB;
	char *stream = malloc(capacity);
	int fd;

	/* Any segmentation is good, any altered byte is not. */
	set(&a, "short_read", "777777");
	size_t length = read_stream(&source, stream, capacity);
	CHECK(length == 4 * MIB + 24 + 24 + 40, "%zu ", length);
	CHECK(load_stream(&target, stream, length, 1234567) == 0);
	CHECK(!strcmp(get(&a, "digest"), get(&b, "digest")));
	set(&b, "short_write", "99999");
	CHECK(load_stream(&target, stream, length, 1234567) == 0);
	CHECK(load_stream(&target, stream, length - 1, MIB) == -EINVAL);
	reset(&target);
	CHECK(load_stream(&target, stream, length / 2, MIB) == -EINVAL);
	reset(&target);
	stream[length] = 0;
	CHECK(load_stream(&target, stream, length + 1, MIB) == -EINVAL);
	static const size_t altered[] = { 0, 8, 16, 30, 33, 41, 48, 1000003, 4 * MIB + 47, 4 * MIB + 60, 4 * MIB + 87 };
	for (size_t i = 0; i < sizeof(altered) / sizeof(*altered); i++) {
		reset(&target);
		stream[altered[i]] ^= 4;
		CHECK(load_stream(&target, stream, length, MIB) == -EINVAL, "byte %zu ", altered[i]);
		stream[altered[i]] ^= 4;
	}
	reset(&target);
	CHECK(load_stream(&target, stream, length, MIB) == 0);
	CHECK(!strcmp(get(&a, "digest"), get(&b, "digest")));
	set(&b, "size", "8388608");
	reset(&target);
	CHECK(load_stream(&target, stream, length, MIB) == -EINVAL);
	reset(&target);
	set(&b, "size", "4194304");

	/* Failing reads, writes, arcs and resets */
	reset(&source);
	set(&a, "clear_faults", "1");
	set(&a, "fail_read", "1000000 5 1");
	CHECK(set_state(&source, VFIO_DEVICE_STATE_STOP_COPY, &fd) == 0);
	CHECK(read(fd, stream, capacity) == 1000000);
	CHECK(read(fd, stream, capacity) == -1 && errno == EIO);
	CHECK(read(fd, stream + 1000000, capacity - 1000000) == (ssize_t)length - 1000000);
	CHECK(read(fd, stream, 1) == 0);
	close(fd);
	set(&b, "clear_faults", "1");
	set(&b, "fail_write", "500 28");
	CHECK(set_state(&target, VFIO_DEVICE_STATE_RESUMING, &fd) == 0);
	CHECK(write(fd, stream, 4096) == 500);
	CHECK(write(fd, stream, 4096) == -1 && errno == ENOSPC);
	CHECK(write(fd, stream, 4096) == -1 && errno == ENOSPC);
	close(fd);
	reset(&target);
	reset(&source);
	set(&a, "fail_arc", "RUNNING_P2P STOP 110 1\nPRE_COPY PRE_COPY_P2P 5 1 error");
	CHECK(set_state(&source, VFIO_DEVICE_STATE_STOP_COPY, NULL) == -ETIMEDOUT);
	CHECK(get_state(&source) == VFIO_DEVICE_STATE_RUNNING_P2P);
	CHECK(set_state(&source, VFIO_DEVICE_STATE_STOP, NULL) == 0);
	reset(&source);
	CHECK(set_state(&source, VFIO_DEVICE_STATE_PRE_COPY, &fd) == 0);
	CHECK(set_state(&source, VFIO_DEVICE_STATE_PRE_COPY_P2P, NULL) == -EIO);
	CHECK(get_state(&source) == VFIO_DEVICE_STATE_ERROR);
	CHECK(read(fd, stream, 1) == -1 && errno == ENODEV);
	CHECK(set_state(&source, VFIO_DEVICE_STATE_RUNNING, NULL) == -EINVAL);
	set(&a, "fail_reset", "16 1");
	CHECK(ioctl(source.fd, VFIO_DEVICE_RESET) == -1 && errno == EBUSY);
	reset(&source);
	close(fd);
	set(&a, "data_size_errno", "95");
	CHECK(data_size(&source) == -EOPNOTSUPP);
	set(&a, "data_size_errno", "0");
	set(&a, "delay_arc", "RUNNING RUNNING_P2P 100\nRUNNING_P2P STOP 50");
	double start = now();
	CHECK(set_state(&source, VFIO_DEVICE_STATE_STOP, NULL) == 0);
	double took = now() - start;
	CHECK(took > 0.149 && took < 0.4, "%f s ", took);
	CHECK(try_set(&a, "fail_arc", "RUNNING NOWHERE 5") == -EINVAL);
	CHECK(try_set(&a, "size", "4194305") == -EINVAL);
	CHECK(strstr(get(&a, "log"), "fail_arc RUNNING_P2P STOP 110\n") != NULL);
	free(stream);
	close_device(&source);
	close_device(&target);
	mdev_remove(&a);
	mdev_remove(&b);
}

static void *go_to_stop(void *device)
{
	return (void *)(intptr_t)set_state(device, VFIO_DEVICE_STATE_STOP, NULL);
}

/* A RESET during a slow arc does not wait, and is done when the walk ends. */
static void test_deferred_reset(void)
{
	struct mdev mdev = mdev_create("vfio4j_testdev-full");
	struct device device = open_cdev(&mdev);
	pthread_t thread;
	void *result;

	set(&mdev, "delay_arc", "RUNNING RUNNING_P2P 200");
	pthread_create(&thread, NULL, go_to_stop, &device);
	usleep(50000);
	double start = now();
	CHECK(ioctl(device.fd, VFIO_DEVICE_RESET) == 0);
	CHECK(now() - start < 0.1);
	pthread_join(thread, &result);
	CHECK(result == NULL);
	CHECK(get_state(&device) == VFIO_DEVICE_STATE_RUNNING);
	const char *log = get(&mdev, "log");
	CHECK(strstr(log, "reset\n") > strstr(log, "arc RUNNING_P2P STOP\n"), "%s ", log);
	close_device(&device);
	mdev_remove(&mdev);
}

/* The device and its file may go in any order. */
static void test_lifetime(void)
{
	struct mdev mdev = mdev_create("vfio4j_testdev-full");
	struct device device = open_cdev(&mdev);
	int fd;

	CHECK(set_state(&device, VFIO_DEVICE_STATE_PRE_COPY, &fd) == 0);
	close_device(&device);
	CHECK(read(fd, buffer, 1) == -1 && errno == ENODEV);
	mdev_remove(&mdev);
	CHECK(read(fd, buffer, 1) == -1 && errno == ENODEV);
	close(fd);
}

/* ---- DMA log ---- */

static void report(const struct device *device, uint64_t iova, uint64_t length, uint64_t *bitmap, int expected)
{
	struct vfio_device_feature_dma_logging_report report = { .iova = iova, .length = length, .page_size = 4096,
								 .bitmap = (uintptr_t)bitmap };

	memset(bitmap, 0, length / 4096 / 8 + 8);
	int result = feature(device, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, &report, sizeof(report));
	CHECK(result == expected, "REPORT: %d ", result);
}

static void test_dma(bool group)
{
	struct mdev mdev = mdev_create("vfio4j_testdev-full");
	struct device device = group ? open_group(&mdev) : open_cdev(&mdev);
	const uint64_t base = 0x40000000, length = 4 * MIB;
	struct vfio_device_feature_dma_logging_range ranges[2] = { { base, 2 * MIB }, { base + 2 * MIB, 2 * MIB } };
	struct vfio_device_feature_dma_logging_control control = { .page_size = 4096, .num_ranges = 2, .ranges = (uintptr_t)ranges };
	const unsigned int start = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START;
	const unsigned int stop_log = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP;
	unsigned char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t bitmap[32];
	char text[64], nothing;
	int result;

	if (group) {
		struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map), .flags = 3, .vaddr = (uintptr_t)memory,
							.iova = base, .size = length };
		result = ioctl(device.iommu, VFIO_IOMMU_MAP_DMA, &map);
	} else {
		struct iommu_ioas_map map = { .size = sizeof(map), .flags = 7, .ioas_id = device.ioas,
					      .user_va = (uintptr_t)memory, .iova = base, .length = length };
		result = ioctl(device.iommu, IOMMU_IOAS_MAP, &map);
	}
	CHECK(result == 0);
	report(&device, base, MIB, bitmap, -EINVAL);
	CHECK(feature(&device, stop_log, &nothing, 0) == -EINVAL);
	set(&mdev, "dma_max_ranges", "1");
	CHECK(feature(&device, start, &control, sizeof(control)) == -E2BIG);
	set(&mdev, "dma_max_ranges", "0");
	CHECK(feature(&device, start, &control, sizeof(control)) == 0 && control.page_size == 4096);
	CHECK(feature(&device, start, &control, sizeof(control)) == -EBUSY);
	/* From the middle of page 3 into page 5, and page 510 to 513 across the two ranges */
	snprintf(text, sizeof(text), "%llu 5000 171", (unsigned long long)base + 3 * 4096 + 100);
	set(&mdev, "dma_write", text);
	snprintf(text, sizeof(text), "0x%llx 16384 1", (unsigned long long)base + 510 * 4096);
	set(&mdev, "dma_write", text);
	CHECK(memory[3 * 4096 + 99] == 0 && memory[3 * 4096 + 100] == 171 && memory[3 * 4096 + 5099] == 171 &&
	      memory[3 * 4096 + 5100] == 0);
	report(&device, base, 2 * MIB, bitmap, 0);
	CHECK(bitmap[0] == 0x18 && bitmap[7] == 3UL << 62, "%lx %lx ", (long)bitmap[0], (long)bitmap[7]);
	for (int i = 1; i < 7; i++)
		CHECK(!bitmap[i]);
	report(&device, base, 2 * MIB, bitmap, 0);
	CHECK(!bitmap[0] && !bitmap[7]);
	report(&device, base + 2 * MIB, 2 * MIB, bitmap, 0);
	CHECK(bitmap[0] == 3 && !bitmap[1]);
	report(&device, base, 4 * MIB, bitmap, -EINVAL);
	CHECK(try_set(&mdev, "dma_write", "0x1000 1 1") < 0);
	CHECK(set_state(&device, VFIO_DEVICE_STATE_STOP, NULL) == 0);
	CHECK(try_set(&mdev, "dma_write", text) == -EBUSY);
	CHECK(feature(&device, stop_log, &nothing, 0) == 0);
	munmap(memory, length);
	close_device(&device);
	mdev_remove(&mdev);
}

/* ---- iommufd's mock IOMMU, which is there for tests of IOMMU dirty tracking ---- */

static void test_mock(void)
{
	/* drivers/iommu/iommufd/iommufd_test.h, which is no user API */
	struct {
		unsigned int size, op, id, reserved, device, hwpt, idev, rest[11];
	} mock = { .size = sizeof(mock), .op = 2 };
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_hwpt_alloc hwpt = { .size = sizeof(hwpt), .flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING };
	struct iommu_hwpt_set_dirty_tracking tracking = { .size = sizeof(tracking), .flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE };
	int iommu = open("/dev/iommu", O_RDWR);

	CHECK(ioctl(iommu, IOMMU_IOAS_ALLOC, &ioas) == 0);
	mock.id = ioas.out_ioas_id;
	CHECK(ioctl(iommu, _IO(IOMMUFD_TYPE, 0xa0), &mock) == 0);
	hwpt.dev_id = mock.idev;
	hwpt.pt_id = ioas.out_ioas_id;
	CHECK(ioctl(iommu, IOMMU_HWPT_ALLOC, &hwpt) == 0);
	tracking.hwpt_id = hwpt.out_hwpt_id;
	CHECK(ioctl(iommu, IOMMU_HWPT_SET_DIRTY_TRACKING, &tracking) == 0);
	close(iommu);
}

/* ---- speed ---- */

static int tcp_receiver, tcp_target;

static void *receive(void *unused)
{
	char *block = aligned_alloc(4096, buffer_size);
	ssize_t n;

	memset(block, 1, buffer_size);
	while ((n = read(tcp_receiver, block, buffer_size)) > 0)
		write_all(tcp_target, block, n);
	free(block);
	return unused;
}

static void measure(const char *size)
{
	struct mdev a = mdev_create("vfio4j_testdev-full"), b = mdev_create("vfio4j_testdev-full");
	struct device source = open_cdev(&a), target = open_cdev(&b);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t address_size = sizeof(address);
	pthread_t thread;
	ssize_t last;
	int fd;

	set(&a, "size", size);
	set(&b, "size", size);
	for (int round = 0; round < 4; round++) {
		int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
		reset(&source);
		address.sin_port = 0;
		if (bind(server, (void *)&address, sizeof(address)) || listen(server, 1) ||
		    getsockname(server, (void *)&address, &address_size) ||
		    connect(client, (void *)&address, sizeof(address)))
			stop("loopback");
		tcp_receiver = accept(server, NULL, NULL);
		CHECK(set_state(&target, VFIO_DEVICE_STATE_RESUMING, &tcp_target) == 0);
		CHECK(set_state(&source, VFIO_DEVICE_STATE_STOP_COPY, &fd) == 0);
		pthread_create(&thread, NULL, receive, NULL);
		double start = now();
		size_t total = pump(fd, client, &last);
		shutdown(client, SHUT_WR);
		pthread_join(thread, NULL);
		double sent = now();
		CHECK(set_state(&target, VFIO_DEVICE_STATE_STOP, NULL) == 0);
		printf("read -> tcp -> write: %zu bytes, %.0f MiB/s, RESUMING -> STOP %.2f ms\n", total,
		       total / (sent - start) / MIB, (now() - sent) * 1e3);
		CHECK(!strcmp(get(&a, "digest"), get(&b, "digest")));
		close(fd);
		close(tcp_target);
		close(tcp_receiver);
		close(client);
		close(server);
	}
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	mdev_tool = argv[1];
	buffer = aligned_alloc(4096, buffer_size);
	memset(buffer, 1, buffer_size);
	if (argc > 3 && !strcmp(argv[2], "speed")) {
		measure(argv[3]);
	} else {
		test_mtty();
		test_matrix("vfio4j_testdev-full", argv[2]);
		test_matrix("vfio4j_testdev-nop2p", argv[2]);
		test_matrix("vfio4j_testdev-noprecopy", argv[2]);
		test_matrix("vfio4j_testdev-minimal", argv[2]);
		test_migration(false, "enomsg");
		test_migration(true, "zero");
		test_faults();
		test_deferred_reset();
		test_lifetime();
		test_dma(false);
		test_dma(true);
		test_mock();
	}
	printf("%d checks, %d failed\n", checks, failures);
	return failures ? 1 : 0;
}
