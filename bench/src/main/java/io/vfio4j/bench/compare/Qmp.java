// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** QEMU's monitor: one command at a time, one thread. Closing it leaves QEMU alone. */
final class Qmp implements AutoCloseable {
    private static final int ANSWER_SECONDS = 120;
    private static final int START_MILLIS = 120_000;

    private final SocketChannel channel;
    private final BlockingQueue<JsonObject> answers = new LinkedBlockingQueue<>();
    private final BlockingQueue<String> ends = new LinkedBlockingQueue<>();

    private Qmp(SocketChannel channel) {
        this.channel = channel;
        Thread.ofPlatform().daemon().start(this::read);
    }

    /** Connects to a QEMU that is about to start. */
    static Qmp connect(Path socket, Child qemu) throws IOException, InterruptedException {
        SocketChannel channel = tryConnect(socket);
        for (int waited = 0; channel == null; waited += 20) {
            if (!qemu.isAlive() || waited > START_MILLIS) {
                throw new IOException("QEMU does not start: " + qemu.err());
            }
            Thread.sleep(20);
            channel = tryConnect(socket);
        }
        Qmp qmp = new Qmp(channel);
        qmp.execute("{'execute':'qmp_capabilities'}");
        return qmp;
    }

    /** The socket's file is there a moment before anybody listens. */
    private static @Nullable SocketChannel tryConnect(Path socket) throws IOException {
        if (!Files.exists(socket)) {
            return null;
        }
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.connect(UnixDomainSocketAddress.of(socket));
            return channel;
        } catch (IOException e) {
            channel.close();
            if (e instanceof ConnectException) {
                return null;
            }
            throw e;
        }
    }

    private void read() {
        try (BufferedReader reader = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                JsonObject message = JsonParser.parseString(line).getAsJsonObject();
                if (message.has("return") || message.has("error")) {
                    answers.add(message);
                } else if (message.has("event")
                        && message.get("event").getAsString().equals("MIGRATION")) {
                    String status =
                            message.getAsJsonObject("data").get("status").getAsString();
                    if (status.equals("completed") || status.equals("failed") || status.equals("cancelled")) {
                        ends.add(status);
                    }
                }
            }
        } catch (IOException e) {
            // Closed: whoever waits for an answer will say so.
            return;
        }
    }

    /** Gives a command, in which ' stands for ", and returns what QEMU returns. */
    JsonObject execute(String command) throws IOException, InterruptedException {
        ByteBuffer bytes = StandardCharsets.UTF_8.encode(command.replace('\'', '"') + "\n");
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        JsonObject answer = answers.poll(ANSWER_SECONDS, TimeUnit.SECONDS);
        if (answer == null || answer.has("error")) {
            throw new IOException("QEMU: " + command + ": " + (answer == null ? "no answer" : answer.get("error")));
        }
        return answer.get("return").isJsonObject() ? answer.getAsJsonObject("return") : new JsonObject();
    }

    /** Waits for the end of a migration: its status, or an empty text when it has not come. */
    String awaitEnd(int seconds) throws InterruptedException {
        String status = ends.poll(seconds, TimeUnit.SECONDS);
        return status == null ? "" : status;
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
