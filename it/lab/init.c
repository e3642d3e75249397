// SPDX-License-Identifier: Apache-2.0
/*
 * The first process inside the lab's kernel: mounts what a command needs, loads the test device, runs the one
 * command that it/lab/run was asked for, hands its exit status out through the host's file system, powers off.
 * It is linked statically by it/lab/build, because there is nothing else that could be counted on to be there.
 *
 * The kernel's command line gives it VFIO4J_JOB, a folder of it/lab/run's: "argv" and "env" (each string ended by
 * a NUL), "cwd" and "module" (a path, without a newline). It leaves there "status" (a number).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { INIT_FAILED = 125, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

static char job[4096];

/* Writes the status and stops the machine: the only way out of here. */
static _Noreturn void power_off(int status)
{
	char path[sizeof(job) + 16];

	snprintf(path, sizeof(path), "%s/status", job);
	FILE *file = fopen(path, "w");
	if (file) {
		fprintf(file, "%d\n", status);
		fclose(file);
	}
	kill(-1, SIGKILL);
	sync();
	reboot(RB_POWER_OFF);
	_exit(status);
}

static _Noreturn void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("lab init: ", stdout);
	vprintf(format, args);
	puts("");
	fflush(stdout);
	va_end(args);
	power_off(INIT_FAILED);
}

static char *read_file(const char *name, size_t *size)
{
	char path[sizeof(job) + 16];

	snprintf(path, sizeof(path), "%s/%s", job, name);
	FILE *file = fopen(path, "r");
	if (!file)
		fail("cannot open %s: %s", path, strerror(errno));
	size_t capacity = 1 << 20;
	char *text = malloc(capacity);
	if (!text)
		fail("out of memory");
	*size = fread(text, 1, capacity - 1, file);
	fclose(file);
	text[*size] = 0;
	return text;
}

static char **read_strings(const char *name)
{
	size_t size, count = 0;
	char *text = read_file(name, &size);
	char **strings = malloc((size + 1) * sizeof(*strings));

	if (!strings)
		fail("out of memory");
	for (char *s = text; s < text + size; s += strlen(s) + 1)
		strings[count++] = s;
	strings[count] = NULL;
	return strings;
}

static void mount_at(const char *type, const char *path, const char *options)
{
	if (mount(type, path, type, MS_NOSUID, options) && errno != EBUSY)
		fail("cannot mount %s on %s: %s", type, path, strerror(errno));
}

static void link_at(const char *target, const char *path)
{
	if (symlink(target, path) && errno != EEXIST)
		fail("cannot link %s to %s: %s", path, target, strerror(errno));
}

static void write_value(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		fail("cannot write %s: %s", path, strerror(errno));
	close(fd);
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		fail("cannot bring lo up: %s", strerror(errno));
	close(fd);
}

static void load_module(void)
{
	size_t size;
	char *path = read_file("module", &size);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		fail("cannot load %s: %s", path, strerror(errno));
	close(fd);
}

/* The kernel's messages go to tty0; tty1 is for the command alone, and passes every byte as it is. */
static void open_output(void)
{
	struct termios modes;
	int input = open("/dev/null", O_RDONLY);
	int output = open("/dev/tty1", O_WRONLY | O_NOCTTY);

	if (input < 0 || output < 0)
		fail("cannot open /dev/tty1: %s", strerror(errno));
	if (!tcgetattr(output, &modes)) {
		cfmakeraw(&modes);
		tcsetattr(output, TCSANOW, &modes);
	}
	dup2(input, 0);
	dup2(output, 1);
	dup2(output, 2);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
}

static _Noreturn void run_command(void)
{
	size_t size;
	char **argv = read_strings("argv");
	char *cwd = read_file("cwd", &size);
	struct rlimit files = { .rlim_cur = 4096, .rlim_max = 1 << 20 };
	struct rlimit memory = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };

	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_MEMLOCK, &memory);
	setsid();
	if (chdir(cwd)) {
		fprintf(stderr, "lab init: cannot enter %s: %s (/dev, /run, /proc and /sys are the lab's own)\n", cwd, strerror(errno));
		_exit(INIT_FAILED);
	}
	environ = read_strings("env");
	execvp(argv[0], argv);
	fprintf(stderr, "lab init: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

int main(void)
{
	const char *value = getenv("VFIO4J_JOB");

	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(job, sizeof(job), "%s", value ? value : "");
	umask(022);
	mount_at("proc", "/proc", NULL);
	mount_at("sysfs", "/sys", NULL);
	mount_at("devtmpfs", "/dev", NULL);
	open_output();
	mkdir("/dev/pts", 0755);
	mkdir("/dev/shm", 01777);
	mount_at("devpts", "/dev/pts", "mode=0620,ptmxmode=0666");
	mount_at("tmpfs", "/dev/shm", "mode=1777");
	mount_at("tmpfs", "/run", "mode=0755");
	mount_at("debugfs", "/sys/kernel/debug", NULL);
	link_at("/proc/self/fd", "/dev/fd");
	link_at("/proc/self/fd/0", "/dev/stdin");
	link_at("/proc/self/fd/1", "/dev/stdout");
	link_at("/proc/self/fd/2", "/dev/stderr");
	/* A JVM reserves far more than it uses, and the lab's memory is small. */
	write_value("/proc/sys/vm/overcommit_memory", "1");
	sethostname("lab", 3);
	loopback_up();
	load_module();

	pid_t command = fork();
	if (command < 0)
		fail("cannot fork: %s", strerror(errno));
	if (!command)
		run_command();
	for (;;) {
		int status;
		pid_t pid = wait(&status);

		if (pid == command)
			power_off(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	}
}
