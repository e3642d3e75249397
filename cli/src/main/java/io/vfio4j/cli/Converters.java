// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.emulator.ByteSize;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.transport.TransportAddress;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Turns words of the command line into values. Each failure says in one line what is allowed. */
final class Converters {
    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})(ms|s|m|h)");
    private static final Duration MAX_DURATION = Duration.ofHours(24);

    private Converters() {}

    /** The message of a parser, without picocli's "cannot convert ... (java.lang...)" around it. */
    private static <T> T convert(String text, Function<String, T> parser) {
        try {
            return parser.apply(text);
        } catch (IllegalArgumentException e) {
            TypeConversionException failure = new TypeConversionException(String.valueOf(e.getMessage()));
            failure.initCause(e);
            throw failure;
        }
    }

    static Duration duration(String text) {
        Matcher matcher = DURATION.matcher(text);
        if (matcher.matches()) {
            long number = Long.parseLong(matcher.group(1));
            Duration duration = switch (matcher.group(2)) {
                case "ms" -> Duration.ofMillis(number);
                case "s" -> Duration.ofSeconds(number);
                case "m" -> Duration.ofMinutes(number);
                default -> Duration.ofHours(number);
            };
            if (!duration.isZero() && duration.compareTo(MAX_DURATION) <= 0) {
                return duration;
            }
        }
        throw new IllegalArgumentException("'" + text
                + "' is no duration; use a whole number and ms, s, m or h, such as 300ms; more than 0, at most 24h");
    }

    /** A duration, such as 300ms. */
    static final class OfDuration implements ITypeConverter<Duration> {
        @Override
        public Duration convert(String text) {
            return Converters.convert(text, Converters::duration);
        }
    }

    /** A size, such as 64MiB. */
    static final class OfSize implements ITypeConverter<Long> {
        @Override
        public Long convert(String text) {
            return Converters.convert(text, ByteSize::parse);
        }
    }

    /** A rate, such as 1GiB/s. */
    static final class OfRate implements ITypeConverter<Long> {
        @Override
        public Long convert(String text) {
            return Converters.convert(text, ByteSize::parseRate);
        }
    }

    /** A count of rounds. */
    static final class OfRounds implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            return Converters.convert(text, number -> {
                if (!number.matches("\\d{1,9}")) {
                    throw new IllegalArgumentException(
                            "'" + number + "' is no number of rounds; use a whole number, 0 for no limit");
                }
                return Integer.parseInt(number);
            });
        }
    }

    /** A count of runs. */
    static final class OfRuns implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String text) {
            return Converters.convert(text, number -> {
                if (!number.matches("[1-9]\\d{0,2}|1000")) {
                    throw new IllegalArgumentException(
                            "'" + number + "' is no number of runs; use a whole number from 1 to 1000");
                }
                return Integer.parseInt(number);
            });
        }
    }

    /** A device, real or emulated. */
    static final class OfDevice implements ITypeConverter<DeviceName> {
        @Override
        public DeviceName convert(String text) {
            return Converters.convert(text, DeviceName::parse);
        }
    }

    /** A peer to connect to, to listen at, or that is connected already. */
    static final class OfPeer implements ITypeConverter<TransportAddress.Peer> {
        @Override
        public TransportAddress.Peer convert(String text) {
            return Converters.convert(text, word -> {
                if (word.startsWith("file:")) {
                    throw new IllegalArgumentException("'" + word + "' names a file, not a peer; use "
                            + TransportAddress.PEER_FORMS + ", or the commands save and load for a file");
                }
                if (!word.matches("(tcp|unix|fd):.*")) {
                    throw new IllegalArgumentException(
                            "'" + word + "' names no peer; use " + TransportAddress.PEER_FORMS);
                }
                return TransportAddress.parsePeer(word);
            });
        }
    }

    /** A file. */
    static final class OfFile implements ITypeConverter<TransportAddress.File> {
        @Override
        public TransportAddress.File convert(String text) {
            return Converters.convert(text, word -> {
                if (word.startsWith("file:") && TransportAddress.parse(word) instanceof TransportAddress.File file) {
                    return file;
                }
                throw new IllegalArgumentException(
                        "'" + word + "' names no file; use file:PATH, or the commands send and receive for a peer");
            });
        }
    }

    /** A constant of an enum, as a word with dashes. */
    private static <E extends Enum<E>> E word(Class<E> type, String text) {
        return word(List.of(type.getEnumConstants()), text);
    }

    private static <E extends Enum<E>> E word(List<E> constants, String text) {
        return convert(text, word -> {
            List<String> words = constants.stream()
                    .map(constant -> constant.name().toLowerCase(Locale.ROOT).replace('_', '-'))
                    .toList();
            int index = words.indexOf(word);
            if (index < 0) {
                throw new IllegalArgumentException("'" + word + "' is none of " + String.join(", ", words));
            }
            return constants.get(index);
        });
    }

    /** When two threads are used. */
    static final class OfOverlap implements ITypeConverter<Overlap> {
        @Override
        public Overlap convert(String text) {
            return word(Overlap.class, text);
        }
    }

    /** What to do when pre-copy does not converge. */
    static final class OfNotConverging implements ITypeConverter<NotConverging> {
        @Override
        public NotConverging convert(String text) {
            // A device without a virtual machine has no virtual CPUs that could be throttled.
            return word(List.of(NotConverging.KEEP_GOING, NotConverging.SWITCH_OVER, NotConverging.GIVE_UP), text);
        }
    }

    /** How to show progress. */
    static final class OfProgress implements ITypeConverter<ProgressPrinter.Mode> {
        @Override
        public ProgressPrinter.Mode convert(String text) {
            return word(ProgressPrinter.Mode.class, text);
        }
    }

    /** What connects both sides of a migration within one process. */
    static final class OfLoopback implements ITypeConverter<MigrateCommand.Loopback> {
        @Override
        public MigrateCommand.Loopback convert(String text) {
            return word(MigrateCommand.Loopback.class, text);
        }
    }

    /** What to do when in doubt. */
    static final class OfWhenInDoubt implements ITypeConverter<WhenInDoubt> {
        @Override
        public WhenInDoubt convert(String text) {
            return word(WhenInDoubt.class, text);
        }
    }
}
