// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.ffm.FdPassing;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.kvm.KvmFd;
import io.vfio4j.ffm.kvm.VmFd;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;

/** A virtual machine that another process has made, whose fd it has passed to this one. */
final class ForeignVm implements AutoCloseable {
    private static final int PATH_BYTES = 108;
    private static final long PATIENCE_SECONDS = 30;

    private final Process process;
    private final int fd;

    /** Starts the other process, and takes the fd that it sends. */
    ForeignVm(Path folder) throws IOException {
        Path socket = folder.resolve("vm.socket");
        process = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-Xshare:auto",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        ForeignVm.class.getName(),
                        socket.toString()))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        boolean received = false;
        try {
            fd = receive(socket);
            received = true;
        } finally {
            if (!received) {
                process.destroyForcibly();
            }
        }
    }

    private int receive(Path socket) throws IOException {
        // It says a line when it listens, and ends early when it cannot.
        assertThat(process.getInputStream().read())
                .as("what the other process says")
                .isEqualTo('\n');
        LibC libc = LibC.system();
        int connection = libc.socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(Short.BYTES + PATH_BYTES, Short.BYTES);
            address.set(JAVA_SHORT, 0, (short) LibC.AF_UNIX);
            byte[] path = socket.toString().getBytes(StandardCharsets.UTF_8);
            MemorySegment.copy(path, 0, address, JAVA_BYTE, Short.BYTES, path.length);
            assertThat(libc.connect(connection, address)).isZero();
            int received = FdPassing.receive(libc, connection);
            assertThat(received).as("the fd, or -errno").isNotNegative();
            return received;
        } finally {
            libc.close(connection);
        }
    }

    /** The machine, of which this process holds an fd. */
    VmFd vm() {
        return new VmFd(LibC.system(), fd);
    }

    @Override
    public void close() throws IOException, InterruptedException {
        LibC.system().close(fd);
        process.getOutputStream().close();
        assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        process.getInputStream().close();
        assertThat(process.exitValue()).isZero();
    }

    /**
     * The other process: makes a machine, sends its fd, and waits until its input ends.
     *
     * @param arguments where to listen
     * @throws IOException when it cannot
     */
    public static void main(String[] arguments) throws IOException {
        LibC libc = LibC.system();
        int kvm = libc.open(KvmFd.PATH, LibC.O_RDWR | LibC.O_CLOEXEC);
        int vm = new KvmFd(libc, kvm).createVm(0);
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(arguments[0]));
            System.out.write('\n');
            System.out.flush();
            Set<Integer> before = sockets();
            try (SocketChannel accepted = server.accept()) {
                Set<Integer> now = sockets();
                now.removeAll(before);
                assertThat(now).as("fd of %s", accepted).hasSize(1);
                assertThat(FdPassing.send(libc, now.iterator().next(), vm)).isZero();
                assertThat(System.in.read()).isEqualTo(-1);
            }
        }
    }

    /** The fds of this process that are sockets: a channel does not tell its own. */
    private static Set<Integer> sockets() throws IOException {
        Set<Integer> sockets = new TreeSet<>();
        try (var entries = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path entry : entries) {
                if (Files.isSymbolicLink(entry)
                        && Files.readSymbolicLink(entry).toString().startsWith("socket:")) {
                    sockets.add(Integer.parseInt(entry.getFileName().toString()));
                }
            }
        }
        return sockets;
    }
}
