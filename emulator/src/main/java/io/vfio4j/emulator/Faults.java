// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.ffm.Errno;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Makes one emulated device fail, stall and come up short, as a test tells it.
 *
 * <p>A script reads as one says it:
 *
 * <pre>{@code
 * device.faults().on(READ).nth(3).fail(Errno.EIO);
 * device.faults().on(WRITE).atOffset(1 << 20).fail(Errno.EFAULT);
 * device.faults().on(READ).nth(5).reset();
 * device.faults().onArc(VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY).times(2).fail(Errno.EBUSY);
 * device.faults().on(SET_STATE).always().delay(Duration.ofMillis(20));
 * }</pre>
 *
 * <p>A rule holds for one call unless {@link Rule#times} or {@link Rule#always} says otherwise, and begins with the
 * next call unless {@link Rule#nth} or {@link Rule#atOffset} does. Rules may be added by any thread at any time.
 */
public final class Faults {
    /** What a caller asks of a device. */
    public enum Kind {
        /** A read from a saving data_fd. */
        READ,
        /** A write to a resuming data_fd. */
        WRITE,
        /** {@code MIG_DEVICE_STATE}, set. */
        SET_STATE,
        /** {@code MIG_DEVICE_STATE}, get. */
        GET_STATE,
        /** {@code VFIO_MIG_GET_PRECOPY_INFO}. */
        PRECOPY_INFO,
        /** {@code MIG_DATA_SIZE}. */
        DATA_SIZE,
        /** {@code VFIO_DEVICE_RESET}. */
        RESET
    }

    private static final int ANYWHERE = -1;

    private final EmulatedDevice device;
    private final long arcNanos;
    private final List<Rule> rules = new ArrayList<>();
    private volatile boolean armed;
    private volatile long longestRead;
    private volatile long longestWrite;
    private volatile LongConsumer sleeper = Faults::sleep;

    Faults(EmulatedDevice device, EmulatedDeviceSpec spec) {
        this.device = device;
        arcNanos = TimeUnit.MILLISECONDS.toNanos(spec.arcMillis());
        shortReads(spec.shortRead());
        shortWrites(spec.shortWrite());
    }

    /**
     * Begins a rule for calls of one kind.
     *
     * @param kind the kind
     * @return the rule, which holds as soon as it is told what to do
     */
    public Rule on(Kind kind) {
        return new Rule(kind, 0, 0);
    }

    /**
     * Begins a rule for one arc of the state machine, also where it is only one step of a longer way.
     *
     * @param from {@code VFIO_DEVICE_STATE_*}
     * @param to {@code VFIO_DEVICE_STATE_*}
     * @return the rule, which holds as soon as it is told what to do
     */
    public Rule onArc(int from, int to) {
        return new Rule(null, from, to);
    }

    /**
     * Gives no read more than this.
     *
     * @param bytes the most, in bytes; 0 for no limit
     * @return this
     */
    public Faults shortReads(long bytes) {
        longestRead = bytes == 0 ? Long.MAX_VALUE : bytes;
        return this;
    }

    /**
     * Takes no more than this from a write.
     *
     * @param bytes the most, in bytes; 0 for no limit
     * @return this
     */
    public Faults shortWrites(long bytes) {
        longestWrite = bytes == 0 ? Long.MAX_VALUE : bytes;
        return this;
    }

    /**
     * Replaces the sleep behind {@link Rule#delay} and {@link EmulatedDeviceSpec#arcMillis}, so that a test need not
     * wait.
     *
     * @param nanos is called with each delay in nanoseconds, by the thread that made the call
     * @return this
     */
    public Faults sleepWith(LongConsumer nanos) {
        sleeper = nanos;
        return this;
    }

    /** Forgets all rules. Limits of short reads and writes stay. */
    public void clear() {
        synchronized (rules) {
            rules.clear();
            armed = false;
        }
    }

    /** Does what the rules say before a call, without the device's lock: 0, or the {@code -errno} to fail with. */
    int before(Kind kind) {
        return armed ? apply(due(kind, 0, 0)) : 0;
    }

    /** Does what the rules say before an arc, with the device's lock: 0, or the {@code -errno} to fail with. */
    int beforeArc(int from, int to) {
        if (arcNanos > 0) {
            sleeper.accept(arcNanos);
        }
        return armed ? apply(due(null, from, to)) : 0;
    }

    /**
     * Cuts a read or write off where it is short or a rule waits for an offset; fails when it begins there.
     *
     * @return the length to transfer at the most, or {@code -errno}
     */
    long limit(Kind kind, long position, long length) {
        long limit = Math.min(length, kind == Kind.READ ? longestRead : longestWrite);
        if (!armed) {
            return limit;
        }
        List<Rule> due = new ArrayList<>();
        synchronized (rules) {
            for (Iterator<Rule> i = rules.iterator(); i.hasNext(); ) {
                Rule rule = i.next();
                if (rule.kind != kind || rule.offset == ANYWHERE) {
                    continue;
                }
                if (rule.offset == position) {
                    due.add(rule);
                    if (rule.isSpent()) {
                        i.remove();
                    }
                } else if (rule.offset > position) {
                    limit = Math.min(limit, rule.offset - position);
                }
            }
            armed = !rules.isEmpty();
        }
        int fault = apply(due);
        return fault < 0 ? fault : limit;
    }

    private List<Rule> due(@Nullable Kind kind, int from, int to) {
        List<Rule> due = new ArrayList<>();
        synchronized (rules) {
            for (Iterator<Rule> i = rules.iterator(); i.hasNext(); ) {
                Rule rule = i.next();
                if (rule.kind == kind
                        && rule.from == from
                        && rule.to == to
                        && rule.offset == ANYWHERE
                        && rule.isDue()) {
                    due.add(rule);
                    if (rule.isSpent()) {
                        i.remove();
                    }
                }
            }
            armed = !rules.isEmpty();
        }
        return due;
    }

    private static int apply(List<Rule> due) {
        int fault = 0;
        for (Rule rule : due) {
            rule.effect.run();
            if (fault == 0) {
                fault = rule.errno;
            }
        }
        return fault;
    }

    private static void sleep(long nanos) {
        // A call into the kernel does not answer an interrupt, so neither does this; the thread finds it afterwards.
        boolean interrupted = false;
        long end = System.nanoTime() + nanos;
        for (long left = nanos; left > 0; left = end - System.nanoTime()) {
            try {
                TimeUnit.NANOSECONDS.sleep(left);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * When something happens, and what: first the when ({@link #nth}, {@link #atOffset}, {@link #times},
     * {@link #always}), then one what, which puts the rule in force. For one thread until then.
     */
    public final class Rule {
        private final @Nullable Kind kind;
        private final int from;
        private final int to;
        private long offset = ANYWHERE;
        private int callsBefore;
        private int timesLeft = 1;
        private int errno;
        private Runnable effect = () -> {};

        private Rule(@Nullable Kind kind, int from, int to) {
            this.kind = kind;
            this.from = from;
            this.to = to;
        }

        /**
         * Lets some calls pass first.
         *
         * @param n the number of the first call that this is for, from now on; 1 is the next
         * @return this
         */
        public Rule nth(int n) {
            callsBefore = n - 1;
            return this;
        }

        /**
         * Waits for a place in the stream: a call that would pass it ends there, short; the one that begins there is
         * hit.
         *
         * @param bytes the offset from the stream's begin, in bytes
         * @return this
         * @throws IllegalStateException when this is not about {@link Kind#READ} or {@link Kind#WRITE}
         */
        public Rule atOffset(long bytes) {
            if (kind != Kind.READ && kind != Kind.WRITE) {
                throw new IllegalStateException("only READ and WRITE have an offset");
            }
            offset = bytes;
            return this;
        }

        /**
         * Holds for several calls.
         *
         * @param n how many
         * @return this
         */
        public Rule times(int n) {
            timesLeft = n;
            return this;
        }

        /**
         * Holds until {@link Faults#clear}.
         *
         * @return this
         */
        public Rule always() {
            timesLeft = Integer.MAX_VALUE;
            return this;
        }

        /**
         * Fails the call; the device does nothing of it. A failed arc leaves the device where the arc begins.
         *
         * @param error the errno
         * @return the faults, for the next rule
         */
        public Faults fail(Errno error) {
            errno = error.negated();
            return arm();
        }

        /**
         * Takes time before the call. In an arc, the device's other callers wait, too.
         *
         * @param time how long
         * @return the faults, for the next rule
         */
        public Faults delay(Duration time) {
            effect = () -> sleeper.accept(time.toNanos());
            return arm();
        }

        /**
         * Resets the device before the call, as another owner of it could. In an arc, the reset waits for its end.
         *
         * @return the faults, for the next rule
         */
        public Faults reset() {
            effect = device::reset;
            return arm();
        }

        /**
         * Fails the call and takes the device to ERROR.
         *
         * @param error the errno
         * @return the faults, for the next rule
         */
        public Faults enterError(Errno error) {
            errno = error.negated();
            effect = device::enterError;
            return arm();
        }

        /**
         * Runs something before the call, by the thread that makes it.
         *
         * @param action what to run
         * @return the faults, for the next rule
         */
        public Faults run(Runnable action) {
            effect = action;
            return arm();
        }

        private Faults arm() {
            synchronized (rules) {
                rules.add(this);
                armed = true;
            }
            return Faults.this;
        }

        private boolean isDue() {
            return callsBefore-- <= 0;
        }

        private boolean isSpent() {
            return timesLeft != Integer.MAX_VALUE && --timesLeft == 0;
        }
    }
}
