// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.testing;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Fails a test that leaves file descriptors open or threads of vfio4j running.
 *
 * <p>Register it with {@code @ExtendWith(LeakCheck.class)}. What the test makes in {@code @BeforeEach} and closes in
 * {@code @AfterEach} is counted as the test's own. Tests that it watches do not run in parallel in one JVM.
 */
public final class LeakCheck implements BeforeEachCallback, AfterEachCallback {
    private static final ExtensionContext.Namespace NAMESPACE = ExtensionContext.Namespace.create(LeakCheck.class);

    /** How long a thread that is about to end may take; only a test that fails waits for all of it. */
    private static final long GRACE_MILLIS = 5_000;

    @Override
    public void beforeEach(ExtensionContext context) throws Exception {
        Warm.up();
        context.getStore(NAMESPACE).put(Snapshot.class, new Snapshot(openFds(), threads()));
    }

    @Override
    public void afterEach(ExtensionContext context) throws Exception {
        Snapshot before = context.getStore(NAMESPACE).remove(Snapshot.class, Snapshot.class);
        if (before == null) {
            return;
        }
        Set<Thread> left = threads();
        left.removeAll(before.threads);
        for (Thread thread : left) {
            thread.join(GRACE_MILLIS);
        }
        left.removeIf(thread -> !thread.isAlive());
        if (!left.isEmpty()) {
            throw new AssertionError("threads still run: " + left);
        }
        Set<String> leaked = leakedSince(before.fds);
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(GRACE_MILLIS);
        while (!leaked.isEmpty() && System.nanoTime() < deadline) {
            Thread.onSpinWait();
            leaked = leakedSince(before.fds);
        }
        if (!leaked.isEmpty()) {
            throw new AssertionError("file descriptors are still open: " + leaked);
        }
    }

    private static Set<String> leakedSince(Set<String> before) throws IOException {
        Set<String> now = openFds();
        now.removeAll(before);
        return now;
    }

    private static Set<Thread> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("vfio4j-"))
                .collect(Collectors.toSet());
    }

    private static Set<String> openFds() throws IOException {
        Set<String> fds = new TreeSet<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path entry : entries) {
                String target;
                try {
                    target = Files.readSymbolicLink(entry).toString();
                } catch (IOException e) {
                    // Closed since it was listed, such as the listing's own.
                    continue;
                }
                if (!isOfTheJvm(target)) {
                    fds.add(entry.getFileName() + " → " + target);
                }
            }
        }
        return fds;
    }

    /** The JVM opens these whenever it likes. */
    private static boolean isOfTheJvm(String target) {
        return target.startsWith("/proc/")
                || target.startsWith("/sys/")
                || target.startsWith("/dev/")
                || target.endsWith(".jar")
                || target.endsWith(".so")
                || target.endsWith("/modules");
    }

    private record Snapshot(Set<String> fds, Set<Thread> threads) {}

    /** NIO keeps an fd or two of its own from its first use on; that is no leak of the first test. */
    private static final class Warm {
        private static boolean done;

        static synchronized void up() throws IOException {
            if (done) {
                return;
            }
            done = true;
            try (ServerSocketChannel server = ServerSocketChannel.open()) {
                server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                try (SocketChannel client = SocketChannel.open(server.getLocalAddress());
                        SocketChannel accepted = server.accept()) {
                    accepted.shutdownOutput();
                    client.shutdownOutput();
                }
            }
        }
    }
}
