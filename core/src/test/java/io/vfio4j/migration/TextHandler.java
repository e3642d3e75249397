// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.PooledBuffer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** State of a monitor's own: text, sent when all is stopped. What it does can be changed in each step. */
class TextHandler implements StateHandler {
    final String name;
    final List<String> calls = Collections.synchronizedList(new ArrayList<>());
    volatile String text;

    TextHandler(String name, String text) {
        this.name = name;
        this.text = text;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Description description() {
        return new Description("text", 1, Map.of());
    }

    @Override
    public void pending(long thresholdBytes, Precision precision, Pending pending) {
        pending.stoppedBytes(text.length());
    }

    @Override
    public void complete(StateOutput out) throws IOException {
        calls.add("complete");
        PooledBuffer chunk = out.acquire();
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        chunk.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + bytes.length)
                .put(bytes);
        chunk.length(bytes.length);
        out.send(chunk);
    }

    @Override
    public void load(PooledBuffer chunk) throws IOException {
        byte[] bytes = new byte[chunk.length()];
        chunk.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + bytes.length)
                .get(bytes);
        text = new String(bytes, StandardCharsets.UTF_8);
    }

    @Override
    public void discard() {
        calls.add("discard");
        text = "";
    }
}
