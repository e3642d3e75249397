// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each call against the kernel that runs the tests, with the errno that this kernel really gives. */
class LibCTest {
    private static final long UNKNOWN_REQUEST = 0x3bff;
    private static final long FIONREAD = 0x541b;
    private static final long FIONCLEX = 0x5450;
    private static final int PAGE = 4096;
    private static final int NO_SUCH_FD = 1_000_000;

    private final LibC libc = LibC.system();
    private final Arena arena = Arena.ofShared();
    private final List<Integer> opened = new ArrayList<>();

    @AfterEach
    void closeAll() {
        opened.forEach(libc::close);
        arena.close();
    }

    @Test
    void shouldOpenAndCloseAFile(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("a"), "text");
        int fd = libc.open(file.toString(), LibC.O_RDONLY | LibC.O_CLOEXEC);
        assertThat(fd).isNotNegative();
        assertThat(closesOnExec(fd)).isTrue();
        assertThat(libc.close(fd)).isZero();
        assertThat(libc.close(fd)).isEqualTo(Errno.EBADF.negated());
    }

    @Test
    void shouldReturnTheErrnoOfOpen(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("a"), "text");
        assertThat(libc.open(folder.resolve("none").toString(), LibC.O_RDWR)).isEqualTo(-2);
        assertThat(libc.open(folder.toString(), LibC.O_RDWR)).isEqualTo(Errno.EISDIR.negated());
        assertThat(libc.open(file.resolve("below").toString(), LibC.O_RDWR)).isEqualTo(Errno.ENOTDIR.negated());
    }

    @Test
    void shouldReturnEnottyWhenTheFdDoesNotKnowTheIoctl() {
        int fd = memfd(0);
        assertThat(libc.ioctl(fd, UNKNOWN_REQUEST, 0)).isEqualTo(-25);
        assertThat(libc.ioctl(fd, UNKNOWN_REQUEST, arena.allocate(8))).isEqualTo(-25);
        assertThat(libc.ioctl(NO_SUCH_FD, UNKNOWN_REQUEST, 0)).isEqualTo(Errno.EBADF.negated());
    }

    @Test
    void shouldPassTheArgumentOfAnIoctlByPointerAndByValue() throws IOException {
        int[] pair = socketpair();
        assertThat(libc.write(pair[0], text("hello"), 0, 5)).isEqualTo(5);
        MemorySegment waiting = arena.allocate(JAVA_INT);
        assertThat(libc.ioctl(pair[1], FIONREAD, waiting)).isZero();
        assertThat(waiting.get(JAVA_INT, 0)).isEqualTo(5);

        assertThat(closesOnExec(pair[1])).isTrue();
        assertThat(libc.ioctl(pair[1], FIONCLEX, 0)).isZero();
        assertThat(closesOnExec(pair[1])).isFalse();
    }

    @Test
    void shouldReadAndWriteAtAnOffsetOfTheBuffer() {
        int[] pair = socketpair();
        assertThat(libc.write(pair[0], text("0123456789"), 3, 4)).isEqualTo(4);
        MemorySegment buffer = arena.allocate(10);
        assertThat(libc.read(pair[1], buffer, 5, 5)).isEqualTo(4);
        assertThat(bytes(buffer)).isEqualTo("\0\0\0\0\0003456\0");
    }

    @Test
    void shouldReturnTheErrnoOfReadAndWrite(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("a"), "text");
        int readOnly = own(libc.open(file.toString(), LibC.O_RDONLY));
        int writeOnly = own(libc.open(file.toString(), LibC.O_WRONLY));
        MemorySegment buffer = arena.allocate(8);
        assertThat(libc.write(readOnly, buffer, 0, 8)).isEqualTo(Errno.EBADF.negated());
        assertThat(libc.read(writeOnly, buffer, 0, 8)).isEqualTo(Errno.EBADF.negated());
        assertThat(libc.read(own(libc.open(folder.toString(), LibC.O_RDONLY)), buffer, 0, 8))
                .isEqualTo(Errno.EISDIR.negated());
    }

    @Test
    void shouldReturnEpipeWhenThePeerIsGone() {
        int[] pair = socketpair();
        assertThat(libc.close(pair[1])).isZero();
        opened.remove(Integer.valueOf(pair[1]));
        assertThat(libc.write(pair[0], arena.allocate(8), 0, 8)).isEqualTo(Errno.EPIPE.negated());
        assertThat(libc.read(pair[0], arena.allocate(8), 0, 8)).isZero();
    }

    @Test
    void shouldScatterAndGather() {
        int[] pair = socketpair();
        MemorySegment from = text("abcdef");
        MemorySegment vector = arena.allocate(2 * IoVec.STRUCT.size(), IoVec.STRUCT.alignment());
        describe(vector, 0, from.asSlice(4, 2));
        describe(vector, 1, from.asSlice(0, 3));
        assertThat(libc.writev(pair[0], vector, 2)).isEqualTo(5);

        MemorySegment to = arena.allocate(5);
        describe(vector, 0, to.asSlice(1, 4));
        describe(vector, 1, to.asSlice(0, 1));
        assertThat(libc.readv(pair[1], vector, 2)).isEqualTo(5);
        assertThat(bytes(to)).isEqualTo("cefab");
        assertThat(libc.readv(pair[1], vector, -1)).isEqualTo(Errno.EINVAL.negated());
        assertThat(libc.writev(NO_SUCH_FD, vector, 2)).isEqualTo(Errno.EBADF.negated());
    }

    @Test
    void shouldReadAndWriteAtAPosition() {
        int fd = memfd(0);
        assertThat(libc.pwrite(fd, text("0123456789"), 2, 3, 100)).isEqualTo(3);
        MemorySegment buffer = arena.allocate(8);
        assertThat(libc.pread(fd, buffer, 4, 4, 99)).isEqualTo(4);
        assertThat(bytes(buffer)).isEqualTo("\0\0\0\0\000234");
        assertThat(libc.pread(fd, buffer, 0, 8, 103)).isZero();
        assertThat(libc.pread(socketpair()[0], buffer, 0, 8, 0)).isEqualTo(Errno.ESPIPE.negated());
        assertThat(libc.pwrite(fd, buffer, 0, 8, -1)).isEqualTo(Errno.EINVAL.negated());
    }

    @Test
    void shouldPollForOneOfSeveralFds() {
        int idle = own(libc.eventfd(0, LibC.EFD_CLOEXEC));
        int ready = own(libc.eventfd(1, LibC.EFD_CLOEXEC));
        MemorySegment fds = arena.allocate(2 * PollFd.STRUCT.size(), PollFd.STRUCT.alignment());
        PollFd.FD.set(fds, idle);
        PollFd.EVENTS.set(fds, LibC.POLLIN);
        MemorySegment second = fds.asSlice(PollFd.STRUCT.size());
        PollFd.FD.set(second, ready);
        PollFd.EVENTS.set(second, LibC.POLLIN | LibC.POLLOUT);
        assertThat(libc.poll(fds, 1, 0)).isZero();
        assertThat(libc.poll(fds, 2, -1)).isEqualTo(1);
        assertThat(PollFd.REVENTS.get(fds)).isZero();
        assertThat(PollFd.REVENTS.get(second)).isEqualTo(LibC.POLLIN | LibC.POLLOUT);
        assertThat(libc.poll(fds, Integer.MAX_VALUE, 0)).isEqualTo(Errno.EINVAL.negated());
    }

    @Test
    void shouldCountWithAnEventfd() throws IOException {
        int fd = own(libc.eventfd(7, LibC.EFD_CLOEXEC));
        assertThat(closesOnExec(fd)).isTrue();
        MemorySegment value = arena.allocate(JAVA_LONG);
        assertThat(libc.read(fd, value, 0, 8)).isEqualTo(8);
        assertThat(value.get(JAVA_LONG, 0)).isEqualTo(7);
        assertThat(libc.eventfd(0, -1)).isEqualTo(Errno.EINVAL.negated());
    }

    @Test
    void shouldMakeAndResizeAMemfd() throws IOException {
        int fd = memfd(0);
        assertThat(closesOnExec(fd)).isTrue();
        assertThat(libc.ftruncate(fd, 5)).isZero();
        assertThat(libc.pread(fd, arena.allocate(8), 0, 8, 0)).isEqualTo(5);
        assertThat(libc.ftruncate(fd, -1)).isEqualTo(Errno.EINVAL.negated());
        assertThat(libc.memfdCreate("x", -1)).isEqualTo(Errno.EINVAL.negated());
    }

    @Test
    void shouldFindAndMakeHolesAndBringToDisk() {
        int fd = memfd(0);
        assertThat(libc.ftruncate(fd, 4L * PAGE)).isZero();
        assertThat(libc.lseek(fd, 0, LibC.SEEK_DATA)).isEqualTo(Errno.ENXIO.negated());
        assertThat(libc.pwrite(fd, arena.allocate(2L * PAGE), 0, 2L * PAGE, PAGE))
                .isEqualTo(2L * PAGE);

        assertThat(libc.lseek(fd, 0, LibC.SEEK_DATA)).isEqualTo(PAGE);
        assertThat(libc.lseek(fd, PAGE, LibC.SEEK_HOLE)).isEqualTo(3L * PAGE);
        assertThat(libc.fallocate(fd, LibC.FALLOC_FL_PUNCH_HOLE | LibC.FALLOC_FL_KEEP_SIZE, PAGE, PAGE))
                .isZero();
        assertThat(libc.lseek(fd, 0, LibC.SEEK_DATA)).isEqualTo(2L * PAGE);
        assertThat(libc.fallocate(fd, 0, 0, 8L * PAGE)).isZero();
        assertThat(libc.lseek(fd, 0, LibC.SEEK_END)).isEqualTo(8L * PAGE);
        assertThat(libc.fsync(fd)).isZero();

        assertThat(libc.fallocate(fd, LibC.FALLOC_FL_PUNCH_HOLE, 0, PAGE)).isEqualTo(Errno.EOPNOTSUPP.negated());
        assertThat(libc.lseek(fd, 0, -1)).isEqualTo(Errno.EINVAL.negated());
        assertThat(libc.fsync(-1)).isEqualTo(Errno.EBADF.negated());
    }

    @Test
    void shouldReturnTheErrnoOfUserfaultfd() {
        assumeTrue(System.getProperty("os.arch").equals("amd64"), "bound on x86-64 only");
        assertThat(libc.userfaultfd(-1)).isEqualTo(Errno.EINVAL.negated());
    }

    @Test
    void shouldDuplicateAnFd() throws IOException {
        int fd = memfd(9);
        int copy = own(libc.dup(fd));
        assertThat(copy).isNotEqualTo(fd).isNotNegative();
        assertThat(closesOnExec(copy)).isTrue();
        assertThat(libc.pread(copy, arena.allocate(16), 0, 16, 0)).isEqualTo(9);
        assertThat(libc.dup(NO_SUCH_FD)).isEqualTo(Errno.EBADF.negated());
    }

    @Test
    void shouldMapAdviseAndUnmap() {
        int flags = LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS;
        long address = libc.mmap(2 * PAGE, LibC.PROT_READ | LibC.PROT_WRITE, flags, -1, 0);
        assertThat(address).isPositive();
        assertThat(libc.madvise(address, 2 * PAGE, LibC.MADV_POPULATE_WRITE)).isZero();
        assertThat(libc.madvise(address + 1, PAGE, LibC.MADV_POPULATE_WRITE)).isEqualTo(Errno.EINVAL.negated());
        assertThat(libc.munmap(address, 2 * PAGE)).isZero();
        assertThat(libc.madvise(address, 2 * PAGE, LibC.MADV_POPULATE_WRITE)).isEqualTo(Errno.ENOMEM.negated());
        assertThat(libc.munmap(address + 1, PAGE)).isEqualTo(Errno.EINVAL.negated());
        assertThat(libc.mmap(PAGE, LibC.PROT_READ, LibC.MAP_SHARED, NO_SUCH_FD, 0))
                .isEqualTo(Errno.EBADF.negated());
        assertThat(libc.mmap(0, LibC.PROT_READ, flags, -1, 0)).isEqualTo(Errno.EINVAL.negated());
    }

    @Test
    void shouldShutDownOneDirectionOrBoth() {
        int[] pair = socketpair();
        MemorySegment buffer = arena.allocate(8);
        assertThat(libc.shutdown(pair[0], LibC.SHUT_RD)).isZero();
        assertThat(libc.read(pair[0], buffer, 0, 8)).isZero();
        assertThat(libc.write(pair[0], buffer, 0, 8)).isEqualTo(8);
        assertThat(libc.shutdown(pair[0], LibC.SHUT_RDWR)).isZero();
        assertThat(libc.write(pair[0], buffer, 0, 8)).isEqualTo(Errno.EPIPE.negated());
        assertThat(libc.read(pair[1], buffer, 0, 8)).isEqualTo(8);
        assertThat(libc.read(pair[1], buffer, 0, 8)).isZero();
    }

    @Test
    void shouldEndAReadThatBlocksByShuttingAnotherFdOfTheSocketDown() throws Exception {
        int[] pair = socketpair();
        int other = own(libc.dup(pair[0]));
        MemorySegment buffer = arena.allocate(8);
        try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
            Future<Long> reading = thread.submit(() -> libc.read(pair[0], buffer, 0, 8));
            assertThat(libc.shutdown(other, LibC.SHUT_RDWR)).isZero();
            assertThat(reading.get()).isZero();
        }
    }

    @Test
    void shouldReturnTheErrnoOfSocketCalls() {
        assertThat(Errno.describe(libc.socketpair(-1, LibC.SOCK_STREAM, arena.allocate(8, 4))))
                .isEqualTo("errno 97");
        MemorySegment message = MsgHdr.STRUCT.allocate(arena);
        assertThat(libc.sendmsg(memfd(0), message, 0)).isEqualTo(-88);
        assertThat(libc.recvmsg(NO_SUCH_FD, message, 0)).isEqualTo(Errno.EBADF.negated());
        int socket = own(libc.socket(LibC.AF_INET, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0));
        assertThat(libc.shutdown(socket, LibC.SHUT_RDWR)).isEqualTo(Errno.ENOTCONN.negated());
        assertThat(libc.shutdown(memfd(0), LibC.SHUT_RDWR)).isEqualTo(Errno.ENOTSOCK.negated());
        assertThat(libc.shutdown(socketpair()[0], -1)).isEqualTo(Errno.EINVAL.negated());
    }

    @Test
    void shouldKeepErrnoApartWhenTwoThreadsFailAtOnce() throws Exception {
        int rounds = 20_000;
        int noSuchIoctl = memfd(0);
        CyclicBarrier together = new CyclicBarrier(2);
        try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
            Future<Integer> ioctls = threads.submit(() -> {
                together.await();
                int wrong = 0;
                for (int i = 0; i < rounds; i++) {
                    wrong += libc.ioctl(noSuchIoctl, UNKNOWN_REQUEST, 0) == Errno.ENOTTY.negated() ? 0 : 1;
                }
                return wrong;
            });
            Future<Integer> closes = threads.submit(() -> {
                together.await();
                int wrong = 0;
                for (int i = 0; i < rounds; i++) {
                    wrong += libc.close(NO_SUCH_FD) == Errno.EBADF.negated() ? 0 : 1;
                }
                return wrong;
            });
            assertThat(ioctls.get()).isZero();
            assertThat(closes.get()).isZero();
        }
    }

    @Test
    void shouldRefuseAnOffsetOutsideTheBufferBeforeTheCall() {
        int[] pair = socketpair();
        MemorySegment buffer = arena.allocate(8);
        assertThatThrownBy(() -> libc.write(pair[0], buffer, 4, 5)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> libc.write(pair[0], buffer, -1, 4)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> libc.read(pair[1], buffer, 8, 1)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> libc.pread(pair[1], buffer, 0, 9, 0)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> libc.pwrite(pair[0], buffer, 9, 0, 0)).isInstanceOf(IndexOutOfBoundsException.class);
        MemorySegment waiting = arena.allocate(JAVA_INT);
        assertThat(libc.ioctl(pair[1], FIONREAD, waiting)).isZero();
        assertThat(waiting.get(JAVA_INT, 0)).as("bytes that were written").isZero();
    }

    @Test
    void shouldRefuseAHeapSegment() {
        int fd = memfd(8);
        MemorySegment heap = MemorySegment.ofArray(new byte[8]);
        assertThatThrownBy(() -> libc.read(fd, heap, 0, 8)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> libc.ioctl(fd, UNKNOWN_REQUEST, heap)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void shouldPassAnFdOverASocket() {
        int[] pair = socketpair();
        int sent = memfd(3);
        assertThat(FdPassing.send(libc, pair[0], sent)).isZero();
        int received = own(FdPassing.receive(libc, pair[1]));
        assertThat(received).isNotNegative().isNotEqualTo(sent);

        MemorySegment buffer = text("abc");
        assertThat(libc.pwrite(received, buffer, 0, 3, 0)).isEqualTo(3);
        MemorySegment back = arena.allocate(3);
        assertThat(libc.pread(sent, back, 0, 3, 0)).isEqualTo(3);
        assertThat(bytes(back)).isEqualTo("abc");
    }

    @Test
    void shouldSayThatNoFdCameWhenTheMessageHasNoneOrThePeerIsGone() {
        int[] pair = socketpair();
        assertThat(libc.write(pair[0], arena.allocate(1), 0, 1)).isEqualTo(1);
        assertThat(FdPassing.receive(libc, pair[1])).isEqualTo(Errno.ENOMSG.negated());
        assertThat(libc.close(pair[0])).isZero();
        opened.remove(Integer.valueOf(pair[0]));
        assertThat(FdPassing.receive(libc, pair[1])).isEqualTo(Errno.ENOMSG.negated());
        assertThat(FdPassing.send(libc, pair[1], NO_SUCH_FD)).isEqualTo(Errno.EBADF.negated());
    }

    @Test
    void shouldUnmapMappedMemoryWhenItsArenaCloses() throws IOException {
        int fd = own(libc.memfdCreate("libc-test-mapped", LibC.MFD_CLOEXEC));
        assertThat(libc.ftruncate(fd, PAGE)).isZero();
        try (Arena mapping = Arena.ofConfined()) {
            MemorySegment memory = MappedMemory.map(libc, PAGE, LibC.MAP_SHARED, fd, mapping);
            memory.set(JAVA_BYTE, 5, (byte) 'x');
            assertThat(isMapped("libc-test-mapped")).isTrue();
        }
        assertThat(isMapped("libc-test-mapped")).isFalse();
        MemorySegment back = arena.allocate(1);
        assertThat(libc.pread(fd, back, 0, 1, 5)).isEqualTo(1);
        assertThat(back.get(JAVA_BYTE, 0)).isEqualTo((byte) 'x');
    }

    @Test
    void shouldMapAPartOfAFile() {
        int fd = memfd(2 * PAGE);
        assertThat(libc.pwrite(fd, text("part"), 0, 4, PAGE + 8)).isEqualTo(4);
        MemorySegment memory = MappedMemory.map(libc, PAGE, LibC.MAP_SHARED, fd, PAGE, arena);
        assertThat(memory.byteSize()).isEqualTo(PAGE);
        assertThat(bytes(memory.asSlice(8, 4))).isEqualTo("part");
    }

    @Test
    void shouldNameTheErrnoWhenMappingFails() {
        assertThatThrownBy(() -> MappedMemory.map(libc, PAGE, LibC.MAP_SHARED, NO_SUCH_FD, arena))
                .isInstanceOf(OutOfMemoryError.class)
                .hasMessage("mmap of 4096 bytes failed: EBADF (9)");
    }

    private int memfd(long size) {
        int fd = own(libc.memfdCreate("libc-test", LibC.MFD_CLOEXEC));
        assertThat(libc.ftruncate(fd, size)).isZero();
        return fd;
    }

    private int[] socketpair() {
        MemorySegment fds = arena.allocate(JAVA_INT, 2);
        assertThat(libc.socketpair(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, fds))
                .isZero();
        return new int[] {own(fds.getAtIndex(JAVA_INT, 0)), own(fds.getAtIndex(JAVA_INT, 1))};
    }

    private int own(int fd) {
        assertThat(fd).isNotNegative();
        opened.add(fd);
        return fd;
    }

    private MemorySegment text(String text) {
        return arena.allocateFrom(text, StandardCharsets.US_ASCII);
    }

    private static String bytes(MemorySegment segment) {
        return new String(segment.toArray(JAVA_BYTE), StandardCharsets.US_ASCII);
    }

    private static void describe(MemorySegment vector, int index, MemorySegment place) {
        MemorySegment element = vector.asSlice(index * IoVec.STRUCT.size());
        IoVec.IOV_BASE.set(element, place.address());
        IoVec.IOV_LEN.set(element, place.byteSize());
    }

    private static boolean closesOnExec(int fd) throws IOException {
        String flags = Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd)).stream()
                .filter(line -> line.startsWith("flags:"))
                .findFirst()
                .orElseThrow();
        return (Long.parseLong(flags.substring("flags:".length()).strip(), 8) & LibC.O_CLOEXEC) != 0;
    }

    private static boolean isMapped(String memfd) throws IOException {
        return Files.readString(Path.of("/proc/self/maps")).contains("/memfd:" + memfd + " ");
    }

    @Test
    void shouldInterruptTheCallOfOneThreadByASignalThatIsCaught() throws Exception {
        assumeTrue(System.getProperty("os.arch").equals("amd64"), "tgkill is bound for x86-64 only");
        assertThat(libc.catchSignal(LibC.SIGUSR1)).isZero();
        int[] pair = socketpair();
        int processId = (int) ProcessHandle.current().pid();
        CompletableFuture<Integer> threadId = new CompletableFuture<>();
        try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
            Future<Integer> polled = executor.submit(() -> {
                // PID/task/TID
                threadId.complete(Integer.parseInt(Files.readSymbolicLink(Path.of("/proc/thread-self"))
                        .getFileName()
                        .toString()));
                MemorySegment fd = PollFd.STRUCT.allocate(Arena.ofAuto());
                PollFd.FD.set(fd, pair[0]);
                PollFd.EVENTS.set(fd, LibC.POLLIN);
                return libc.poll(fd, 1, -1);
            });
            int thread = threadId.get();
            while (!polled.isDone()) {
                // The first ones may come before it waits.
                assertThat(libc.tgkill(processId, thread, LibC.SIGUSR1)).isZero();
                Thread.sleep(1);
            }
            assertThat(polled.get()).isEqualTo(Errno.EINTR.negated());
        }
        assertThat(libc.tgkill(processId, Integer.MAX_VALUE, 0)).isEqualTo(Errno.ESRCH.negated());
    }

    @Test
    void shouldReturnTheErrnoOfASignalThatCannotBeCaught() {
        int sigkill = 9;
        assertThat(libc.catchSignal(sigkill)).isEqualTo(Errno.EINVAL.negated());
    }
}
