# nov/14/2022 10:38:34 by RouterOS 7.6
# software id = KNR1-0012
#
# model = RB750Gr3
/interface bridge
add ageing-time=5m arp=enabled arp-timeout=auto auto-mac=yes dhcp-snooping=no \
    disabled=no fast-forward=yes forward-delay=15s igmp-snooping=no mtu=auto \
    name=bridge protocol-mode=rstp vlan-filtering=no
/interface ethernet
set [ find default-name=ether1 ] advertise=10M-half,10M-full,100M-half arp=\
    enabled auto-negotiation=yes bandwidth=unlimited/unlimited disabled=no \
    mac-address=02:00:5E:00:53:0C mtu=1500 name=ether1 \
    !power-cycle-ping-address rx-flow-control=off tx-flow-control=off
set [ find default-name=ether2 ] arp=enabled disabled=no mtu=1500 name=ether2
/interface list
set [ find name=all ] comment="contains all interfaces" exclude="" include="" name=all
set [ find name=none ] comment="contains no interfaces" exclude="" include="" name=none
set [ find name=dynamic ] comment="contains dynamic interfaces" exclude="" include="" name=dynamic
add exclude="" include="" name=WAN
add exclude="" include="" name=LAN
/ip ipsec profile
set [ find default=yes ] dh-group=modp2048,modp1024 dpd-interval=2m \
    dpd-maximum-failures=5 enc-algorithm=aes-128,3des hash-algorithm=sha1 \
    lifetime=1d name=default nat-traversal=yes proposal-check=obey
/ppp profile
set *0 address-list="" !bridge change-tcp-mss=yes !idle-timeout name=default \
    only-one=default !session-timeout use-compression=default use-encryption=default
/snmp community
set [ find default=yes ] addresses=::/0 authentication-password="" \
    authentication-protocol=MD5 disabled=no encryption-password="" \
    encryption-protocol=DES name=public read-access=yes security=none write-access=no
/system logging action
set 0 memory-lines=1000 memory-stop-on-full=no name=memory target=memory
set 3 bsd-syslog=no name=remote remote=0.0.0.0 remote-port=514 src-address=\
    0.0.0.0 syslog-facility=daemon target=remote
/interface bridge port
add auto-isolate=no bridge=bridge disabled=no interface=ether2 pvid=1
/interface l2tp-server server
set allow-fast-path=no authentication=pap,chap,mschap1,mschap2 default-profile=\
    default-encryption enabled=no ipsec-secret="" use-ipsec=no
/interface list member
add disabled=no interface=ether1 list=WAN
add disabled=no interface=bridge list=LAN
/interface ovpn-server server
set auth=sha1,md5 certificate=*0 cipher=blowfish128,aes128-cbc enabled=no port=1194 \
    protocol=tcp require-client-certificate=no
/interface pptp-server server
set authentication=mschap1,mschap2 enabled=no
/interface sstp-server server
set authentication=pap,chap,mschap1,mschap2 certificate=none enabled=no port=443 \
    verify-client-certificate=no
/ip address
add address=192.168.30.1/24 disabled=no interface=bridge network=192.168.30.0
/ip cloud
set back-to-home-vpn=revoked-and-disabled ddns-enabled=no ddns-update-interval=none update-time=yes
/ip dhcp-client
add add-default-route=yes default-route-distance=1 dhcp-options=hostname,clientid \
    disabled=no interface=ether1 use-peer-dns=yes use-peer-ntp=yes
/ip dns
set allow-remote-requests=no cache-size=2048KiB doh-max-server-connections=5 servers=""
/ip firewall filter
add action=accept chain=input !connection-bytes !connection-limit \
    connection-state=established,related !content disabled=no !dscp !dst-address \
    !dst-address-list !dst-limit !in-interface !limit log=no log-prefix="" !protocol
add action=drop chain=input disabled=no in-interface-list=!LAN log=yes log-prefix=drop
add action=drop chain=forward disabled=no connection-nat-state=!dstnat \
    in-interface-list=WAN log=yes log-prefix=""
/ip firewall nat
add action=masquerade chain=srcnat disabled=no log=no out-interface-list=WAN
/ip neighbor discovery-settings
set discover-interface-list=LAN lldp-med-net-policy-vlan=disabled protocol=cdp,lldp,mndp
/ip proxy
set anonymous=no cache-administrator=webmaster enabled=yes port=8080 src-address=::
/ip service
set telnet address="" disabled=yes port=23 vrf=main
set ftp address="" disabled=yes port=21
set www address="" disabled=yes port=80 vrf=main
set ssh address="" disabled=no port=2222 vrf=main
set www-ssl address="" certificate=none disabled=yes port=443 tls-version=any vrf=main
set api address="" disabled=yes port=8728 vrf=main
set winbox address="" disabled=yes port=8291 vrf=main
set api-ssl address="" certificate=none disabled=yes port=8729 tls-version=any vrf=main
/ip socks
set auth-method=none enabled=no port=1080 version=4
/ip ssh
set allow-none-crypto=no always-allow-password-login=no forwarding-enabled=no \
    host-key-size=4096 strong-crypto=yes
/ip upnp
set allow-disable-external-interface=no enabled=no show-dummy-rule=yes
/ipv6 settings
set accept-redirects=yes-if-forwarding-disabled accept-router-advertisements=\
    yes-if-forwarding-disabled disable-ipv6=yes forward=yes
/ppp aaa
set accounting=yes interim-update=0s use-circuit-id-in-nas-port-id=no use-radius=no
/snmp
set contact="" enabled=no engine-id="" location="" trap-community=public \
    trap-generators=temp-exception trap-target="" trap-version=1
/system identity
set name=verbose-gw
/system logging
set 0 action=memory disabled=no prefix="" topics=info
set 1 action=memory disabled=no prefix="" topics=error
set 2 action=memory disabled=no prefix="" topics=warning
set 3 action=echo disabled=no prefix="" topics=critical
/system ntp client
set enabled=yes mode=unicast servers=ntp.example.jp vrf=main
/tool bandwidth-server
set allocate-udp-ports-from=2000 authenticate=yes enabled=no max-sessions=100
/tool mac-server
set allowed-interface-list=none
/tool mac-server mac-winbox
set allowed-interface-list=none
/user aaa
set accounting=yes default-group=read exclude-groups="" interim-update=0s use-radius=no
/user settings
set minimum-categories=0 minimum-password-length=0
