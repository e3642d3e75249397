// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.cli.Cancellation.CancelledException;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class OverseerTest {
    private static final Duration LONG = Duration.ofMinutes(1);

    @Test
    void shouldReturnWhenTheWorkIsDone() throws IOException {
        Overseer overseer = new Overseer(LONG);
        Thread[] worker = new Thread[1];

        overseer.run(() -> worker[0] = Thread.currentThread());

        assertThat(worker[0].getName()).isEqualTo("vfio4j-bench");
        assertThat(overseer.isStuck()).isFalse();
    }

    @Test
    void shouldThrowWhatTheWorkThrows() {
        IOException failure = new IOException("the driver failed");
        assertThatThrownBy(() -> new Overseer(LONG).run(() -> {
                    throw failure;
                }))
                .isSameAs(failure);
        assertThatThrownBy(() -> new Overseer(LONG).run(() -> {
                    throw new IllegalStateException("a bug");
                }))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("a bug");
    }

    @Test
    void shouldLeaveADriverAloneThatDoesNotReturn() throws Exception {
        CountDownLatch answer = new CountDownLatch(1);
        CountDownLatch ended = new CountDownLatch(1);
        Overseer overseer = new Overseer(Duration.ofMillis(20));
        try {
            assertThatThrownBy(() -> overseer.run(() -> {
                        awaitUninterruptibly(answer);
                        ended.countDown();
                    }))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("not returned from a call for 20 ms");
            assertThat(overseer.isStuck()).isTrue();
        } finally {
            answer.countDown();
            ended.await();
        }
    }

    @Test
    void shouldEndTheWorkAtItsNextBeatWhenCancelled() {
        Overseer overseer = new Overseer(LONG);

        assertThatThrownBy(() -> overseer.run(() -> {
                    overseer.beat();
                    assertThat(overseer.cancel()).isTrue();
                    overseer.beat();
                }))
                .isInstanceOf(CancelledException.class)
                .hasMessage("the measurement was cancelled");
    }

    private static void awaitUninterruptibly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
