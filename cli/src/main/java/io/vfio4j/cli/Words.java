// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.OutgoingOptions.BadValue;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * The words of a command that names devices and, last, where their state goes to or comes from. The command line's
 * parser knows no such order.
 */
final class Words {
    /** As many as one migration takes. */
    private static final int MAX_DEVICES = 32;

    private Words() {}

    /** All words but the last, as devices, and none of this host's twice. */
    static List<DeviceName> devicesBeforeLast(List<String> words) {
        List<DeviceName> devices = devices(words.subList(0, words.size() - 1));
        requireNotTooMany(devices);
        requireDistinct(devices);
        return devices;
    }

    /** The last word, which comes after at least one device. */
    static <T> T last(List<String> words, String label, ITypeConverter<T> converter) {
        if (words.size() < 2) {
            throw new BadValue("Missing required parameter: "
                    + (words.isEmpty() ? "DEVICE... " + label : label + ", after the device " + words.getFirst()));
        }
        return convert(words.size() - 1, words.getLast(), label, converter);
    }

    /** Words that name devices. */
    static List<DeviceName> devices(List<String> words) {
        List<DeviceName> devices = new ArrayList<>();
        for (int i = 0; i < words.size(); i++) {
            devices.add(convert(i, words.get(i), "DEVICE", new Converters.OfDevice()));
        }
        return devices;
    }

    /** Refuses more devices on a side than one migration takes. */
    static void requireNotTooMany(List<DeviceName> devices) {
        if (devices.size() > MAX_DEVICES) {
            throw new BadValue(devices.size() + " devices are too many; use at most " + MAX_DEVICES);
        }
    }

    /** Refuses to take a device of this host twice. */
    static void requireDistinct(List<DeviceName> devices) {
        Set<DeviceName> seen = new HashSet<>();
        for (DeviceName device : devices) {
            if (device instanceof DeviceName.Real && !seen.add(device)) {
                throw new BadValue(device + " is named twice; name each device once");
            }
        }
    }

    private static <T> T convert(int index, String word, String label, ITypeConverter<T> converter) {
        try {
            return converter.convert(word);
        } catch (TypeConversionException e) {
            throw new BadValue(
                    "Invalid value for positional parameter at index " + index + " (" + label + "): " + e.getMessage());
        } catch (Exception e) {
            throw new IllegalStateException("converters throw nothing else", e);
        }
    }
}
