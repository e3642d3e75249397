// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
class BufferExchangeTest {
    private static final int COUNT = 3;

    private final BufferPool pool = new BufferPool(LibC.system(), COUNT, 4096, false);
    private final BufferExchange exchange = new BufferExchange(pool);

    @AfterEach
    void everythingIsBackInThePool() {
        assertThat(pool.freeCount()).isEqualTo(COUNT);
        pool.close();
    }

    @Test
    void shouldHandOverInOrderWithNoMoreThanThePool() throws Exception {
        int chunks = 20_000;
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        Thread consumer = Thread.ofPlatform().start(() -> {
            try {
                int expected = 0;
                for (PooledBuffer buffer = exchange.take(); buffer != null; buffer = exchange.take()) {
                    assertThat(buffer.view().getInt(0)).isEqualTo(expected++);
                    exchange.recycle(buffer);
                }
                assertThat(expected).isEqualTo(chunks);
            } catch (Throwable t) {
                failure.set(t);
                exchange.fail(new IOException(t));
            }
        });
        for (int i = 0; i < chunks; i++) {
            PooledBuffer buffer = exchange.acquire();
            buffer.view().putInt(0, i);
            exchange.put(buffer);
        }
        exchange.awaitConsumed();
        assertThat(pool.freeCount()).isEqualTo(COUNT);
        exchange.finish();
        consumer.join();
        assertThat(failure.get()).isNull();
    }

    @Test
    void shouldWakeTheProducerWhenTheConsumerFails() throws Exception {
        for (int i = 0; i < COUNT; i++) {
            exchange.put(exchange.acquire());
        }
        IOException cause = new IOException("consumer");
        Thread consumer = Thread.ofPlatform().start(() -> exchange.fail(cause));

        assertThatThrownBy(exchange::acquire).isSameAs(cause);
        assertThatThrownBy(exchange::awaitConsumed).isSameAs(cause);
        consumer.join();
        exchange.clear();
    }

    @Test
    void shouldWakeTheConsumerWhenTheProducerFails() throws Exception {
        PooledBuffer whole = exchange.acquire();
        exchange.put(whole);
        IOException cause = new IOException("producer");
        Thread producer = Thread.ofPlatform().start(() -> exchange.fail(cause));

        // What was handed over before the failure is still whole.
        PooledBuffer taken = exchange.take();
        assertThat(taken).isSameAs(whole);
        exchange.recycle(Objects.requireNonNull(taken));
        assertThatThrownBy(exchange::take).isSameAs(cause);
        producer.join();
    }

    @Test
    void shouldKeepTheFirstFailure() {
        IOException first = new IOException("first");
        exchange.fail(first);
        exchange.fail(new IOException("second"));

        assertThatThrownBy(exchange::take).isSameAs(first);
        assertThatThrownBy(exchange::acquire).isSameAs(first);
        assertThatThrownBy(exchange::awaitConsumed).isSameAs(first);
    }

    @Test
    void shouldEndWhenTheProducerHasFinished() throws IOException {
        exchange.put(exchange.acquire());
        exchange.finish();

        exchange.recycle(Objects.requireNonNull(exchange.take()));
        assertThat(exchange.take()).isNull();
    }
}
