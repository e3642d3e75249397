// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceAddressTest {
    private static final String UUID = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";

    @Test
    void shouldParseEveryForm() {
        assertThat(DeviceAddress.parse("/dev/vfio/devices/vfio12")).isEqualTo(new DeviceAddress.Cdev("vfio12"));
        assertThat(DeviceAddress.parse("/dev/vfio/devices/noiommu-vfio0"))
                .isEqualTo(new DeviceAddress.Cdev("noiommu-vfio0"));
        assertThat(DeviceAddress.parse("/dev/vfio/42/0000:3b:00.1"))
                .isEqualTo(new DeviceAddress.Grouped("42", "0000:3b:00.1"));
        assertThat(DeviceAddress.parse("0000:3B:00.1")).isEqualTo(new DeviceAddress.OnBus("pci", "0000:3b:00.1"));
        assertThat(DeviceAddress.parse("10000:e1:00.0")).isEqualTo(new DeviceAddress.OnBus("pci", "10000:e1:00.0"));
        assertThat(DeviceAddress.parse(UUID.toUpperCase(java.util.Locale.ROOT)))
                .isEqualTo(new DeviceAddress.OnBus("mdev", UUID));
        assertThat(DeviceAddress.parse("/sys/bus/pci/devices/0000:3b:00.1"))
                .isEqualTo(new DeviceAddress.Sysfs(Path.of("/sys/bus/pci/devices/0000:3b:00.1")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/dev/vfio/devices/vfio12",
                "/dev/vfio/42/0000:3b:00.1",
                "0000:3b:00.1",
                UUID,
                "/sys/bus/mdev/devices/" + UUID
            })
    void shouldPrintWhatItParsed(String text) {
        assertThat(DeviceAddress.parse(text)).hasToString(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "vfio0",
                "/dev/vfio/42",
                "/dev/vfio/devices/../mem",
                "/dev/vfio/42/a/b",
                "/dev/vfio/x/0000:3b:00.1",
                "3b:00.1",
                "0000:3b:00.8",
                "0000:3b:00.1 ",
                "83b8f4f2-509f-382f-3c1e",
                "/etc/passwd"
            })
    void shouldNameTheFormsWhenTheTextHasNone(String text) {
        assertThatThrownBy(() -> DeviceAddress.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("'" + text + "' names no VFIO device; use " + DeviceAddress.FORMS);
    }
}
